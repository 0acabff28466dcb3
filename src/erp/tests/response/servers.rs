//! What real servers answered to a request that had stored its row, and to one that had not. The rows were observed with
//! a script that appends a line to a file and then ends in the way named here.

use super::{meaning, meaning_of};

#[derive(Clone, Copy, PartialEq)]
enum Row {
    Stored,
    Absent,
}
use Row::{Absent, Stored};

const APACHE_FPM: &str = "Apache 2.4.71 with mod_proxy_fcgi, PHP-FPM 8.2.36";
const APACHE_WAF: &str = "Apache 2.4.71 with mod_security 2.9.7, PHP-FPM 8.2.36";
const APACHE_PHP: &str = "Apache 2.4.71 with mod_php 8.2.36";
const APACHE_PROXY: &str = "Apache 2.4.71 with mod_proxy_http";
const NGINX_FPM: &str = "nginx 1.22.1, PHP-FPM 8.2.36";
const NGINX_PROXY: &str = "nginx 1.22.1 with proxy_pass";
const PHP: &str = "PHP 8.2.36's own server";

const APACHE_503: &str = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n\
    <html><head>\n<title>503 Service Unavailable</title>\n</head><body>\n<h1>Service Unavailable</h1>\n<p>The server is \
    temporarily unable to service your\nrequest due to maintenance downtime or capacity\nproblems. Please try again \
    later.</p>\n</body></html>\n";
const APACHE_502: &str = "<html><head>\n<title>502 Proxy Error</title>\n</head><body>\n<h1>Proxy Error</h1>\n<p>The \
    proxy server received an invalid\r\nresponse from an upstream server.<br />\r\nThe proxy server could not handle the \
    request<p>Reason: <strong>Error reading from remote server</strong></p></p>\n</body></html>\n";
const APACHE_403: &str = "<html><head>\n<title>403 Forbidden</title>\n</head><body>\n<h1>Forbidden</h1>\n<p>You don't \
    have permission to access this resource.</p>\n</body></html>\n";
const NGINX_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad \
    Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
const NGINX_503: &str = "<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n";
const NGINX_504: &str = "<center><h1>504 Gateway Time-out</h1></center>\r\n";
const NGINX_405: &str = "<center><h1>405 Not Allowed</h1></center>\r\n";
const NGINX_302: &str = "<center><h1>302 Found</h1></center>\r\n";
const MEMORY: &str = "<br />\n<b>Fatal error</b>:  Allowed memory size of 33554432 bytes exhausted (tried to allocate 2097152 \
    bytes) in <b>/var/www/row.php</b> on line <b>12</b><br />\n";
const TIME: &str = "<br />\n<b>Fatal error</b>:  Maximum execution time of 1 second exceeded in <b>/var/www/row.php</b> on \
    line <b>13</b><br />\n";
const EXCEPTION: &str = "<br />\n<b>Fatal error</b>:  Uncaught Exception: mail: Deal failed in /var/www/row.php:17\n\
    Stack trace:\n#0 {main}\n  thrown in <b>/var/www/row.php</b> on line <b>17</b><br />\n";

/// The server, what happened, whether the row was there, and the answer.
const SEEN: &[(&str, &str, Row, u16, &str)] = &[
    (APACHE_FPM, "request_terminate_timeout", Stored, 503, APACHE_503),
    (APACHE_FPM, "the worker got a SIGSEGV", Stored, 503, APACHE_503),
    (APACHE_FPM, "the worker got a SIGKILL, as from the OOM killer", Stored, 503, APACHE_503),
    (APACHE_FPM, "the same after it had flushed half a reply", Stored, 503, APACHE_503),
    (APACHE_FPM, "PHP-FPM is down: the very same answer", Absent, 503, APACHE_503),
    (APACHE_FPM, "memory_limit", Stored, 500, ""),
    (APACHE_FPM, "max_execution_time", Stored, 500, ""),
    (APACHE_FPM, "an exception", Stored, 500, ""),
    (APACHE_FPM, "memory_limit, display_errors=On", Stored, 200, MEMORY),
    (APACHE_FPM, "max_execution_time, display_errors=On", Stored, 200, TIME),
    (APACHE_FPM, "an exception, display_errors=On", Stored, 200, EXCEPTION),
    (APACHE_FPM, "exit in the middle of the reply", Stored, 200, r#"{"status":"succ"#),
    (APACHE_FPM, "the script is not there", Absent, 404, "File not found.\n"),
    (APACHE_WAF, "an exception; the rule is about answers with 500", Stored, 403, APACHE_403),
    (
        APACHE_WAF,
        "memory_limit, display_errors=On; the rule is about the body",
        Stored,
        403,
        APACHE_403,
    ),
    (APACHE_PHP, "memory_limit", Stored, 500, ""),
    (APACHE_PHP, "max_execution_time", Stored, 500, ""),
    (APACHE_PHP, "exit in the middle of the reply", Stored, 200, r#"{"status":"succ"#),
    (APACHE_PROXY, "the upstream reset the connection after the request", Stored, 502, APACHE_502),
    (APACHE_PROXY, "the upstream closed the connection after the request", Stored, 502, APACHE_502),
    (APACHE_PROXY, "the upstream reset the connection unread", Absent, 502, APACHE_502),
    (APACHE_PROXY, "ProxyTimeout", Stored, 502, APACHE_502),
    (APACHE_PROXY, "the upstream refuses connections", Absent, 503, APACHE_503),
    (APACHE_PROXY, "the same, now in error state", Absent, 503, APACHE_503),
    (NGINX_FPM, "request_terminate_timeout", Stored, 502, NGINX_502),
    (NGINX_FPM, "the worker got a SIGSEGV", Stored, 502, NGINX_502),
    (NGINX_FPM, "the worker got a SIGKILL", Stored, 502, NGINX_502),
    (NGINX_FPM, "PHP-FPM is down: the very same answer", Absent, 502, NGINX_502),
    (NGINX_FPM, "the pool is busy and its backlog full", Absent, 502, NGINX_502),
    (NGINX_FPM, "fastcgi_read_timeout", Stored, 504, NGINX_504),
    (NGINX_FPM, "memory_limit", Stored, 500, ""),
    (NGINX_FPM, "memory_limit, display_errors=On", Stored, 200, MEMORY),
    (NGINX_FPM, "error_page 502 =404, SIGSEGV", Stored, 404, "<h1>404</h1>\n"),
    (NGINX_FPM, "error_page 500 =404, an exception", Stored, 404, "<h1>404</h1>\n"),
    (NGINX_FPM, "error_page 502 @static, SIGSEGV", Stored, 405, NGINX_405),
    (NGINX_FPM, "error_page 502 http://status.example, SIGSEGV", Stored, 302, NGINX_302),
    (NGINX_FPM, "error_page 502 /50x.html, SIGSEGV", Stored, 502, "<h1>Sorry</h1>\n"),
    (NGINX_FPM, "the script is not there", Absent, 404, "File not found.\n"),
    (NGINX_FPM, "limit_req", Absent, 503, NGINX_503),
    (NGINX_PROXY, "the upstream reset the connection after the request", Stored, 502, NGINX_502),
    (NGINX_PROXY, "the upstream closed the connection in its headers", Stored, 502, NGINX_502),
    (NGINX_PROXY, "the upstream reset the connection unread", Absent, 502, NGINX_502),
    (NGINX_PROXY, "the upstream refuses connections", Absent, 502, NGINX_502),
    (NGINX_PROXY, "proxy_read_timeout", Stored, 504, NGINX_504),
    (PHP, "memory_limit", Stored, 500, ""),
    (PHP, "max_execution_time, display_errors=On", Stored, 200, TIME),
    (PHP, "exit in the middle of the reply", Stored, 200, r#"{"status":"succ"#),
    // Without a length, the end of the connection is the end of the body.
    (PHP, "SIGKILL after the headers", Stored, 200, ""),
];

/// Answers that broke off: the headers promised more.
const BROKE_OFF: &[(&str, &str, u16, &str)] = &[
    (APACHE_PHP, "SIGKILL after it had flushed half a reply", 200, ""),
    (APACHE_PROXY, "the upstream reset the connection in its body", 200, r#"{"status":"succ"#),
    (NGINX_PROXY, "the upstream reset the connection in its body", 200, ""),
    ("any", "a page of a server that went away", 503, "<html>"),
    (
        "any",
        "a refusal that may not be the whole answer",
        500,
        r#"{"status":"error","error_code":500,"error_message":"key is required"}"#,
    ),
];

#[test]
fn an_answer_that_can_come_after_the_row_was_stored_leaves_the_outcome_open() {
    for (server, story, row, status, body) in SEEN {
        assert_eq!(meaning(*status, body), "unknown", "{server}: {story}");
        // With and without the row: that is why it is unknown.
        let same = |other: &&(&str, &str, Row, u16, &str)| other.3 == *status;
        let stored = SEEN.iter().filter(same).any(|other| other.2 == Stored);
        assert!(
            *row == Stored || stored,
            "{server}: {story}: HTTP {status} was never seen with a row"
        );
    }
    for (server, story, status, body) in BROKE_OFF {
        assert_eq!(meaning_of(*status, body, false), "unknown", "{server}: {story}");
    }
}

/// Answers that were not seen after an insert, and of which it cannot be shown that they come before it.
#[test]
fn an_answer_that_is_not_the_apis_own_leaves_the_outcome_open() {
    for (why, status, body) in [
        ("a login in front, or a rule on answers that says 401", 401, "<h1>Unauthorized</h1>"),
        ("a firewall, before or after the ERP", 403, "<h1>Forbidden</h1>"),
        ("a gateway's time limit", 408, ""),
        (
            "a limit of requests: of answers too, in some firewalls",
            429,
            "<h1>Too Many Requests</h1>",
        ),
        (
            "a limit on the body, of the request or of the answer",
            413,
            "<h1>Request Entity Too Large</h1>",
        ),
        ("http to https, or an error_page with an address", 301, ""),
        ("a page of the ERP's own after a lost session", 302, "<a href=\"/login\">"),
        ("the same with the method kept", 307, ""),
        ("the same for ever", 308, ""),
        ("another name for not found", 410, "<h1>Gone</h1>"),
        ("a server's answer to a request that it rejects", 400, "<h1>Bad Request</h1>"),
        ("Cloudflare: the origin answered nonsense", 520, ""),
        ("Cloudflare: the origin took too long to take the connection, or the request", 522, ""),
        ("Cloudflare: the origin took too long to answer", 524, ""),
        ("a gateway's own JSON", 503, r#"{"status":"error","message":"upstream timed out"}"#),
        (
            "the same with a code",
            502,
            r#"{"status":"error","error_message":"reset","upstream":"erp:80"}"#,
        ),
        ("a portal", 200, "<form action=\"login\">"),
        ("a server that says only that", 200, "OK"),
        ("a success without any data", 200, r#"{"status":"success"}"#),
    ] {
        assert_eq!(meaning(status, body), "unknown", "HTTP {status}: {why}");
    }
}
