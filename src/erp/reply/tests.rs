//! What Rukovoditel has been seen to answer, and what each answer means.

use std::time::Duration;

use serde_json::json;

use super::{Insertion, Reply};
use crate::erp::{Body, Failure};
use crate::outbound::Redactor;

fn insertion(status: u16, body: &str) -> Result<Insertion, Failure> {
    let reply = Reply {
        status,
        retry_after: Some(Duration::from_secs(7)),
        body: body.as_bytes(),
        complete: true,
        sent_as: Body::Json,
    };
    reply.insertion(&Redactor::new([&"S3cretKey".into(), &"S3cretPassword".into()]))
}

/// The four questions that matter, and one answer.
fn meaning(status: u16, body: &str) -> &'static str {
    match insertion(status, body) {
        Ok(Insertion::Created(_)) => "created",
        Ok(Insertion::AlreadyExists { .. }) => "exists",
        Err(Failure::Refused { .. }) => "refused",
        Err(Failure::Credentials { .. }) => "credentials",
        Err(Failure::Unavailable { .. }) => "unavailable",
        Err(Failure::Unknown { .. }) => "unknown",
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
    let created = Insertion::Created(serde_json::from_str(body).unwrap());
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
            ("500", "API Key mismatch", "credentials"),
            ("500", "API is not enabled", "credentials"),
            ("ip_not_allowed", "IP \"10.0.0.1\" is not allowed!", "credentials"),
            ("login_fail", "No match for Username and/or Password", "credentials"),
            ("", "No match for Username and/or Password", "credentials"),
            ("account_not_active", "Your account is not active", "credentials"),
            ("access_denied", "Access denied", "credentials"),
            ("login_fail", "Неверное имя пользователя или пароль", "credentials"),
            ("500", "Database Error: 1062 - Duplicate entry", "unknown"),
        ] {
            assert_eq!(meaning(status, &error(code, message)), expected, "{status} {message}");
        }
    }
}

#[test]
fn anything_but_a_reply_of_the_api_is_read_by_what_it_leaves_open() {
    let mysqli = "<h1>Error</h1> mysqli_connect(): (HY000/2002): Connection refused";
    let type_error = "<b>Fatal error</b>:  Uncaught TypeError: http_response_code(): Argument #1 \
                      ($response_code) must be of type int, string given in rest.php:9";
    for (status, body, expected) in [
        (200, "<div>Database Error: 1366 - Incorrect string value INSERT INTO</div>", "unknown"),
        (200, mysqli, "unknown"),
        (200, "<form action=\"login\">", "unknown"),
        (500, "", "unknown"),
        (500, "<h1>Internal Server Error</h1>", "unknown"),
        (502, "<h1>Bad Gateway</h1>", "unknown"),
        (504, "<h1>Gateway Time-out</h1>", "unknown"),
        (408, "", "unknown"),
        (520, "", "unknown"),
        (200, type_error, "credentials"),
        (500, type_error, "credentials"),
        (401, "<h1>Unauthorized</h1>", "credentials"),
        (403, "<h1>Forbidden</h1>", "credentials"),
        (429, "<h1>Too Many Requests</h1>", "unavailable"),
        (503, "", "unavailable"),
        (503, "<h1>Service Unavailable</h1>", "unavailable"),
        (301, "", "refused"),
        (302, "<a href=\"/login\">", "refused"),
        (404, "<h1>Not Found</h1>", "refused"),
        (413, "<h1>Request Entity Too Large</h1>", "refused"),
    ] {
        assert_eq!(meaning(status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_page_that_quotes_a_reply_is_no_reply() {
    let name = r#"{"status":"success","data":{"id":"1"}}"#;
    assert_eq!(meaning(200, &format!("Database Error: 1366 - near {name}")), "unknown");
}

#[test]
fn a_reply_that_broke_off_is_no_reply() {
    let body = br#"{"status":"success","data":{"id":"119"}}"#;
    let reply = |status| {
        let reply = Reply { status, retry_after: None, body, complete: false, sent_as: Body::Json };
        reply.insertion(&Redactor::default())
    };
    assert!(matches!(reply(200), Err(Failure::Unknown { .. })));
    assert!(matches!(reply(503), Err(Failure::Unavailable { .. })));
}

#[test]
fn unavailable_carries_how_long_to_wait() {
    let Err(Failure::Unavailable { retry_after, .. }) = insertion(503, "") else { panic!() };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
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
    let Err(Failure::Refused { advice, .. }) = insertion(200, &error("", "key is required")) else {
        panic!("refused")
    };
    assert!(advice.contains("CRM_BODY=form"), "{advice}");
}
