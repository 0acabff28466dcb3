//! Row by row: what the API itself says, and the pages that only it can give.

mod quoted;
mod servers;

use std::time::Duration;

use serde_json::json;

use crate::erp::response::{Insertion, Outcome, Response};
use crate::erp::{Body, ErpError};
use crate::outbound::Redactor;

fn insertion(status: u16, body: &str) -> Result<Insertion, ErpError> {
    whole_or_not(status, body.as_bytes(), true)
}

fn whole_or_not(status: u16, body: &[u8], complete: bool) -> Result<Insertion, ErpError> {
    let retry_after = Some(Duration::from_secs(7));
    let response = Response { status, retry_after, body, complete, sent_as: Body::Json };
    let redactor = Redactor::new([&"S3cretKey".into(), &"S3cretPassword".into()]);
    match response.outcome(&redactor) {
        Outcome::Done(reply) => Ok(Insertion::of(reply, &redactor)),
        Outcome::Failed(error) => Err(error),
        Outcome::Unknown { reason, .. } => Ok(Insertion::Unknown { reason }),
    }
}

/// The four questions that matter, and one answer.
fn meaning(status: u16, body: &str) -> &'static str {
    meaning_of(status, body, true)
}

fn meaning_of(status: u16, body: &str, complete: bool) -> &'static str {
    match whole_or_not(status, body.as_bytes(), complete) {
        Ok(Insertion::Created { .. }) => "created",
        Ok(Insertion::AlreadyExists { .. }) => "exists",
        Ok(Insertion::Unknown { .. }) => "unknown",
        Err(ErpError::Refused { .. }) => "refused",
        Err(ErpError::NoAccess { .. }) => "no access",
        Err(ErpError::Unavailable { .. }) => "unavailable",
    }
}

fn error(code: &str, message: &str) -> String {
    json!({"status": "error", "error_code": code, "error_message": message}).to_string()
}

#[test]
fn success_needs_the_id_of_one_record() {
    for (body, expected) in [
        (r#"{"status":"success","data":{"id":"119"}}"#, "created"),
        (r#"{"status":"success","data":{"id":119}}"#, "created"),
        ("\u{feff}{\"status\":\"success\",\"data\":{\"id\":\"119\"}}\n", "created"),
        (
            "<br />\n<b>Deprecated</b>: strftime() in x.php on line 3<br />\n\
             {\"status\":\"success\",\"data\":{\"id\":\"119\"}}",
            "created",
        ),
        (r#"{"status":"success","data":{"id":"119,120"}}"#, "unknown"),
        (r#"{"status":"success","data":{"id":""}}"#, "unknown"),
        (r#"{"status":"success","data":{"id":"-1"}}"#, "unknown"),
        (r#"{"status":"success","data":{"id":null}}"#, "unknown"),
        (r#"{"status":"success"}"#, "unknown"),
        (r#"{"status":"success","data":{"id":"119"}"#, "unknown"),
        (r#"{"status":"ok","data":{"id":"119"}}"#, "unknown"),
        (r#"[{"status":"success"}]"#, "unknown"),
        ("null", "unknown"),
        ("", "unknown"),
    ] {
        assert_eq!(meaning(200, body), expected, "{body}");
    }
}

#[test]
fn a_reply_is_kept_verbatim() {
    let body = r#"{"status":"success","data":{"id":"119"},"note":"kept"}"#;
    let reply = serde_json::from_str(body).unwrap();
    let created = Insertion::Created { id: "119".to_owned(), reply };
    assert_eq!(insertion(200, body), Ok(created.clone()));
    assert_eq!(insertion(500, body), Ok(created), "the status says nothing");
}

#[test]
fn the_unique_field_warning_means_that_the_record_exists() {
    let body = r#"{"status":"success","data":{"id":"","unique_fields_warning":[{"id":"1041","value":"45721053"}]}}"#;
    let fields = vec!["1041".to_owned()];
    assert_eq!(insertion(200, body), Ok(Insertion::AlreadyExists { fields }));
    let none = r#"{"status":"success","data":{"id":"","unique_fields_warning":[]}}"#;
    assert_eq!(meaning(200, none), "unknown");
}

#[test]
fn an_error_of_the_api_is_read_by_its_text_whatever_the_status() {
    for status in [200, 404, 500, 503] {
        for (code, message, expected) in [
            ("500", "key is required", "refused"),
            ("500", "action is required", "refused"),
            ("500", "action \"insrt\" not exist", "refused"),
            ("500", "entity 70 not found", "refused"),
            ("500", "items is not array", "refused"),
            ("500", "items is ampty", "refused"),
            ("500", "field_9999 not exist in entity 70", "refused"),
            ("", "parent_item_id is required", "refused"),
            ("", "parent_item_id 7 not found!", "refused"),
            ("404", "Report 5 not found for Entity 70", "refused"),
            ("email_exist", "Username already exist!", "refused"),
            ("500", "something new", "refused"),
            ("", "Entity #99 does not exist", "refused"),
            ("500", "API Key mismatch", "no access"),
            ("500", "API is not enabled", "no access"),
            ("ip_not_allowed", "IP \"10.0.0.1\" is not allowed!", "no access"),
            ("login_fail", "No match for Username and/or Password", "no access"),
            ("", "No match for Username and/or Password", "no access"),
            ("account_not_active", "Your account is not active", "no access"),
            ("access_denied", "Access denied", "no access"),
            ("login_fail", "Неверное имя пользователя или пароль", "no access"),
            ("500", "Database Error: 1062 - Duplicate entry", "unknown"),
        ] {
            assert_eq!(meaning(status, &error(code, message)), expected, "{status} {message}");
        }
    }
}

/// `http_response_code()` takes numbers only, and PHP 8 says so in place of the refusal.
#[test]
fn a_refusal_that_php_8_cannot_say_is_one_of_access() {
    let html = "<br />\n<b>Fatal error</b>:  Uncaught TypeError: http_response_code(): Argument #1 ($response_code) must be \
                of type int, string given in /var/www/api.php:9\nStack trace:\n#0 {main}\n  thrown in \
                <b>/var/www/api.php</b> on line <b>9</b><br />\n";
    let plain = "\nFatal error: Uncaught TypeError: http_response_code(): Argument #1 ($response_code) must be of type \
                 int, string given in /var/www/api.php:9\nStack trace:\n#0 {main}\n  thrown in /var/www/api.php on line 9\n";
    let notice =
        "<br />\n<b>Deprecated</b>:  strftime() in <b>/var/www/x.php</b> on line <b>3</b><br />\n";
    for status in [200, 500] {
        for page in [html, plain, &format!("{notice}{notice}{html}"), &format!("\u{feff}{html}")] {
            assert_eq!(meaning(status, page), "no access", "{page}");
        }
        for page in [
            format!("<br />\n<b>Fatal error</b>:  Uncaught Exception: {html}"),
            format!("<h1>Oops</h1>\n{html}"),
            html.replace("http_response_code", "strlen"),
        ] {
            assert_eq!(meaning(status, &page), "unknown", "{page}");
        }
    }
}

/// The ERP connects to its database before it reads the request.
#[test]
fn an_erp_without_its_database_has_created_nothing() {
    let page = |error: &str| {
        format!(
            "\n            <app_db_error>\n            <div style=\"color: #b94a48;\">\n              <div><strong>Database \
             Error:</strong> {error}</div>\n              <div style=\"padding: 10px 0\"><strong>Please check database \
             settings in \"config/database.php\" file.</strong></div>                            \n            </div>"
        )
    };
    let query = "<app_db_error>\n<div>\n<div><strong>Database Error:</strong> 2006 - MySQL server has gone away</div>\n\
                 <div><strong>Query:</strong> insert into app_entity_70</div>\n</div>";
    let old = "Error: (2002) Connection refused<br><br>Please check database settings in \"config/database.php\" file.";
    let notice = "<br />\n<b>Warning</b>:  mysqli_real_connect(): (HY000/2002) in <b>x.php</b> on line <b>3</b><br />\n";
    for (body, expected) in [
        (page("2002 - Connection refused"), "unavailable"),
        (
            page("1045 - Access denied for user &#039;erp&#039;@&#039;localhost&#039;"),
            "unavailable",
        ),
        (page("1040 - Too many connections"), "unavailable"),
        (old.to_owned(), "unavailable"),
        (format!("{notice}{old}"), "unavailable"),
        // These come in the middle of a request, too.
        (page("2006 - MySQL server has gone away"), "unknown"),
        (page("1205 - Lock wait timeout exceeded"), "unknown"),
        (query.to_owned(), "unknown"),
        (query.replace("2006", "2002"), "unknown"),
        (format!("<title>{old}</title>"), "unknown"),
        ("<h1>Error</h1> mysqli_connect(): (HY000/2002): Connection refused".to_owned(), "unknown"),
    ] {
        assert_eq!(meaning(200, &body), expected, "{body}");
    }
}

#[test]
fn a_limit_of_the_apis_own_is_waited_for() {
    let Err(ErpError::Unavailable { retry_after, reason }) =
        insertion(200, &error("429", "Too many requests"))
    else {
        panic!("unavailable")
    };
    assert_eq!((retry_after, reason.as_str()), (Some(Duration::from_secs(7)), "Too many requests"));
}

#[test]
fn what_is_not_the_apis_own_says_where_to_look() {
    for (status, says) in [
        (301, "redirects are not followed: CRM_API_URL"),
        (403, "check what stands before the ERP"),
        (404, "check CRM_API_URL"),
        (500, "wrong username or password"),
        (503, "HTTP 503 without a body"),
    ] {
        let Ok(Insertion::Unknown { reason }) = insertion(status, "") else { panic!("unknown") };
        assert!(reason.contains(says), "{reason}");
    }
}

#[test]
fn texts_of_the_erp_lose_the_secrets_that_they_echo() {
    for body in [
        error("login_fail", "No match for api / S3cretPassword, key S3cretKey"),
        "<p>Database Error: S3cretKey S3cretPassword</p>".to_owned(),
        r#"{"status":"success","data":{"id":"x","echo":"S3cretKey"}}"#.to_owned(),
    ] {
        let failure = format!("{:?}", insertion(200, &body));
        assert!(!failure.contains("S3cret") && failure.contains("[secret]"), "{failure}");
    }
}

#[test]
fn an_old_erp_that_cannot_read_json_is_recognised() {
    let Err(ErpError::Refused { advice, .. }) = insertion(200, &error("", "key is required"))
    else {
        panic!("refused")
    };
    assert!(advice.contains("CRM_BODY=form"), "{advice}");
}
