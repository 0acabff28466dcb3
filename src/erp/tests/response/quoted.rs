//! Whatever a lead is called, an answer that quotes its name means the same.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use super::meaning;
use crate::erp::stored_text;

/// Everything that decides elsewhere, and what could make a page look like another one.
const TRIGGERS: &[&str] = &[
    r#"{"status":"success","data":{"id":"1"}}"#,
    r#"{"status":"error","error_code":"login_fail","error_message":"Access denied"}"#,
    "http_response_code()",
    "Fatal error: Uncaught TypeError: http_response_code(): Argument #1",
    "<br />\n<b>Fatal error</b>:  Uncaught TypeError: http_response_code(): Argument #1",
    "<br />\n<b>Warning</b>:  x in <b>y</b> on line <b>1</b><br />\n",
    "Warning: x in y on line 1\n",
    "<app_db_error>",
    "Database Error: 2002 - Connection refused",
    "Database Error: 1205 - Lock wait timeout exceeded",
    "Error: (2002) x",
    r#"Please check database settings in "config/database.php" file."#,
    "</strong></div></div>",
    "No match for Username and/or Password",
    "Your account is not active",
    "Access denied",
    "API Key mismatch",
    "API is not enabled",
    r#"IP "10.0.0.1" is not allowed!"#,
    "login_fail",
    "access_denied",
    "key is required",
    "field_1039 not exist in entity 70",
    "items is ampty",
    "unique_fields_warning",
    "Error",
    "error",
    "null",
    "</div>",
    "<br />",
    "-->",
    "'",
    "\"",
    "\\",
    "\u{2028}",
    "\u{feff}",
    "Окна",
    " ",
    "\n",
];

/// How an answer writes a value.
const ESCAPES: &[fn(&str) -> String] = &[str::to_owned, html, json, sql, url, beginning];

/// Answers of the ERP, of PHP and of what stands around them, with `@` for the value that they quote.
const TEMPLATES: &[&str] = &[
    "<app_db_error>\n<div>\n<div><strong>Database Error:</strong> 1205 - Lock wait timeout exceeded</div>\n<div><strong>\
     Query:</strong> insert into app_entity_70 (field_1039) values ('@')</div>\n<div>Page: /api/rest.php</div></div>",
    "<app_db_error>\n<div>\n<div><strong>Database Error:</strong> 1366 - Incorrect string value: '@' for column</div>\n\
     <div><strong>Query:</strong> insert into app_entity_70 (field_1039) values ('@')</div>\n</div>",
    "<app_db_error>\n<div>\n<div><strong>Database Error:</strong> 1205 - '@",
    "<br />\n<b>Warning</b>:  mail(): @ in <b>/var/www/x.php</b> on line <b>3</b><br />\n{\"status\":\"success\",\"data\":\
     {\"id\":\"119\"}}",
    "\nWarning: mail(): @ in /var/www/x.php on line 3\n{\"status\":\"success\",\"data\":{\"id\":\"119\"}}",
    "<br />\n<b>Warning</b>:  mail(): @ in <b>/var/www/x.php</b> on line <b>3</b><br />\n<br />\n<b>Fatal error</b>:  \
     Uncaught Exception: @ in /var/www/x.php:4\nStack trace:\n#0 x.php(4): send('@')\n#1 {main}\n  thrown",
    "<br />\n<b>Fatal error</b>:  Uncaught Exception: @ in /var/www/x.php:4\nStack trace:\n#0 {main}\n  thrown",
    "PHP Fatal error:  Uncaught Exception: @ in /var/www/x.php:4",
    "<br />\n<b>Fatal error</b>:  Uncaught TypeError: http_response_code(): Argument #1 ($response_code) must be of type \
     int, string given in x.php:9\nStack trace:\n#0 api.php(3): insert('@')\n#1 {main}",
    "<html><head><title>@</title></head><body><h1>@</h1></body></html>",
    "<pre>\n@\n</pre>",
    "<html>\n<body>\n@\n",
    "Duplicate entry '@' for key 'field_1039'",
    "The record \"@\" could not be sent by mail.\n",
];

/// Replies of the API, with `@` for the value in JSON.
const REPLIES: &[&str] = &[
    r#"{"status":"success","data":{"id":"119","name":"@"}}"#,
    r#"{"status":"success","data":{"id":"","unique_fields_warning":[{"id":"1039","value":"@"}]}}"#,
    r#"{"status":"success","data":{"id":"","name":"@"}}"#,
    r#"{"status":"error","error_code":500,"error_message":"The value @ is too long"}"#,
    r#"{"status":"error","error_code":500,"error_message":"Access denied to @"}"#,
    r#"{"status":"error","error_code":500,"error_message":"Database Error: 1062 - Duplicate entry '@'"}"#,
    r#"{"status":"error","error_code":"login_fail","error_message":"@"}"#,
];

proptest! {
    // The same names in every run of the tests.
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(9),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_value_that_an_answer_quotes_does_not_decide_what_it_means(
        parts in prop::collection::vec(select(TRIGGERS), 1..5),
        escape in select(ESCAPES),
        template in select(TEMPLATES),
        reply in select(REPLIES),
        status in select(&[200_u16, 404, 429, 500, 503][..]),
    ) {
        let name = stored_text(&parts.concat());
        let with = |template: &str, value: &str| meaning(status, &template.replace('@', value));
        let quoted = escape(&name);
        prop_assert_eq!(with(template, &quoted), with(template, "Deal"), "{}", template.replace('@', &quoted));
        prop_assert_eq!(with(reply, &json(&name)), with(reply, "Deal"), "{} {}", reply, name);
    }
}

/// The case that was found: an error page that quotes the query, and a deal that is about PHP.
#[test]
fn a_deal_about_php_is_not_a_refused_login() {
    let name = "Разработка API http_response_code() для сайта";
    for template in TEMPLATES.iter().filter(|template| !template.contains("http_response_code")) {
        assert_ne!(meaning(200, &template.replace('@', name)), "no access", "{template}");
    }
}

#[test]
fn a_page_that_quotes_a_reply_is_no_reply() {
    let name = r#"{"status":"success","data":{"id":"1"}}"#;
    for page in
        ["Database Error: 1366 - near @", "near\n@", "@\nnear", "<pre>\n@</pre>", "Wrong: @"]
    {
        assert_eq!(meaning(200, &page.replace('@', name)), "unknown", "{page}");
    }
}

fn html(value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    value.replace('"', "&quot;").replace('\'', "&#039;")
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn sql(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"")
}

fn url(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// As in a stack trace.
fn beginning(value: &str) -> String {
    value.chars().take(15).collect()
}
