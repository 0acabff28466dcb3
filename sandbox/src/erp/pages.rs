//! Pages of HTML that the ERP and the servers before it answer, as they were seen.

use serde_json::{Map, Value};

use super::php::plain;
use super::request::fields;
use super::settings::{ErpVersion, FakeErpSettings};

/// Apache's, word for word: it says so when PHP-FPM is down, and when its worker was killed in mid-request.
pub(super) const UNAVAILABLE: &str = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \
    \"http://www.w3.org/TR/html4/strict.dtd\">\n<html><head>\n<title>503 Service Unavailable</title>\n</head><body>\n\
    <h1>Service Unavailable</h1>\n<p>The server is temporarily unable to service your\nrequest due to maintenance \
    downtime or capacity\nproblems. Please try again later.</p>\n</body></html>\n";

/// PHP 7 with `display_errors` before a refusal whose code is a word.
pub(super) const WARNING: &str = "<br />\n<b>Warning</b>:  http_response_code() expects parameter 1 to be int, string given in \
    <b>/var/www/api/rest.php</b> on line <b>9</b><br />\n";

/// PHP 8 with `display_errors` on a refusal whose code is a word.
pub(super) const TYPE_ERROR: &str = "<br />\n<b>Fatal error</b>:  Uncaught TypeError: http_response_code(): Argument #1 \
    ($response_code) must be of type int, string given in /var/www/api/rest.php:9\nStack trace:\n\
    #0 /var/www/api/rest.php(9): http_response_code('login_fail')\n#1 {main}\n  thrown in \
    <b>/var/www/api/rest.php</b> on line <b>9</b><br />\n";

const STYLE: &str =
    "color: #b94a48; background: #f2dede; border: 1px solid #eed3d7; padding: 5px; margin: 5px;";

/// What MySQL says of a query that waited too long for another one.
pub(super) const LOCKED: &str = "1205 - Lock wait timeout exceeded; try restarting transaction";

/// An insert failed for this `reason`. The page quotes the query, with every value that was sent.
pub(super) fn failed_insert(
    settings: &FakeErpSettings,
    reason: &str,
    request: &Map<String, Value>,
) -> String {
    let items = fields(request, "items");
    let columns: Vec<&str> = items.keys().map(String::as_str).collect();
    let values: Vec<String> = items
        .values()
        .map(|value| format!("'{}'", plain(value).replace('\\', "\\\\").replace('\'', "\\'")))
        .collect();
    let entity = settings.entity_id;
    let (columns, values) = (columns.join(", "), values.join(", "));
    let query = format!("insert into app_entity_{entity} ({columns}) values ({values})");
    failed_query(settings, reason, &query)
}

/// A `query` failed for this `reason`.
pub(super) fn failed_query(settings: &FakeErpSettings, reason: &str, query: &str) -> String {
    let query = match settings.version {
        ErpVersion::V344 => query.to_owned(),
        ErpVersion::V362 => escaped(query),
    };
    format!(
        "\n      <app_db_error>\n      <div style=\"{STYLE}\">\n        <div><strong>Database Error:</strong> {reason}\
         </div>\n        <div><strong>Query:</strong> {query}</div>\n        <div><strong>Page: </strong> \
         /api/rest.php</div>\n      </div>\n    "
    )
}

/// The ERP cannot reach its database: it has not read the request yet.
pub(super) fn no_database() -> String {
    format!(
        "\n            <app_db_error>\n            <div style=\"{STYLE}\">\n              <div><strong>Database \
         Error:</strong> 2002 - Connection refused</div>\n              <div style=\"padding: 10px 0\"><strong>Please \
         check database settings in \"config/database.php\" file.</strong></div>                            \n            \
         </div>"
    )
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#039;")
}
