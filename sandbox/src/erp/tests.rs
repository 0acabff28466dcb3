//! The facts that the fake was made after, by their names (E1 to E8), as the real ERP was seen to answer.

use axum::body::to_bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{ErpFailure, ErpField, ErpVersion, FakeErp, FakeErpSettings, Php, api};
use crate::server::lock;

const PHP_8_REFUSES: (u16, &str) = (500, "");

/// An ERP, and what it answers.
struct Erp(FakeErp);

impl Erp {
    fn new(change: impl FnOnce(&mut FakeErpSettings)) -> Self {
        let mut settings = FakeErpSettings::default();
        change(&mut settings);
        let url = "http://127.0.0.1/api/rest.php".parse().unwrap();
        Self(FakeErp::without_listener(url, CancellationToken::new(), settings).0)
    }

    /// The status and the body of the answer to `request`, with the right key and login unless it has others.
    async fn answers(&self, request: &Value) -> (u16, String) {
        let mut whole = json!({
            "key": "fake-erp-key", "username": "fake-erp-user", "password": "fake-erp-password", "entity_id": 70,
        });
        for (name, value) in request.as_object().unwrap() {
            whole[name] = value.clone();
        }
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (uri, body) = (Uri::from_static("/api/rest.php"), whole.to_string());
        let answer = {
            let mut state = lock(&self.0.state);
            api::answer(&mut state, &Method::POST, &uri, &headers, body.as_bytes()).unwrap()
        };
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    /// The `data` of the answer, which must be a success.
    async fn data(&self, request: &Value) -> Value {
        let (status, body) = self.answers(request).await;
        let mut reply: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"));
        assert_eq!((status, &reply["status"]), (200, &json!("success")), "{body}");
        reply["data"].take()
    }

    /// The error text of the answer, with its status.
    async fn error(&self, request: &Value) -> (u16, String) {
        let (status, body) = self.answers(request).await;
        let reply: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"));
        (status, reply["error_message"].as_str().unwrap().to_owned())
    }

    async fn inserts(&self, items: Value) -> Value {
        self.data(&json!({"action": "insert", "items": items})).await
    }

    async fn selects(&self, filters: Value) -> Value {
        self.data(&json!({"action": "select", "filters": filters})).await
    }
}

fn select() -> Value {
    json!({"action": "select"})
}

fn asks_to_insert() -> Value {
    json!({"action": "insert", "items": {}})
}

fn unknown_action() -> Value {
    json!({"action": "x"})
}

fn is(answer: &(u16, String), expected: (u16, &str)) -> bool {
    (answer.0, answer.1.as_str()) == expected
}

#[tokio::test]
async fn e1_text_is_stored_raw_and_shown_without_tags() {
    let erp = Erp::new(|_| {});
    erp.inserts(json!({"field_1039": "Иван <img src=x onerror=alert(1)> "})).await;
    assert_eq!(erp.0.rows()[0].fields["field_1039"], "Иван <img src=x onerror=alert(1)> ");
    assert_eq!(erp.selects(json!({})).await[0]["1039"], "Иван");
    for (text, held) in [("null", ""), ("now()", "2026-11-22 10:00:00")] {
        erp.inserts(json!({"field_1039": text})).await;
        assert_eq!(erp.0.rows().last().unwrap().fields["field_1039"], held);
    }
}

#[tokio::test]
async fn e2_a_number_is_shown_in_its_format() {
    for (format, shown) in [
        ("2/./*", "45721099.00"),
        ("", "45721099"),
        ("0/./*", "45721099"),
        ("2/,/ ", "45 721 099,00"),
        ("2/./,", "45,721,099.00"),
    ] {
        let marker = ErpField::numeric("field_1041").formatted(format);
        let erp = Erp::new(|settings| settings.set_field(marker));
        erp.inserts(json!({"field_1041": "45721099"})).await;
        for filter in [json!("45721099"), json!(45_721_099)] {
            let rows = erp.selects(json!({"1041": filter})).await;
            assert_eq!(rows[0]["1041"], shown, "{format}");
        }
    }
}

#[tokio::test]
async fn e2_filters_that_are_not_liked_are_skipped() {
    let erp = Erp::new(|_| {});
    for marker in ["7", "8"] {
        erp.inserts(json!({"field_1041": marker})).await;
    }
    for (filters, rows) in [
        (json!({"1041": "7"}), 1),
        (json!({"1041": "9"}), 0),
        (json!({"1041": 7}), 2),
        (json!({"1041": ""}), 2),
        (json!({"77": "7"}), 2),
        (json!({"id": "119"}), 1),
    ] {
        let shown = erp.selects(filters.clone()).await;
        assert_eq!(shown.as_array().unwrap().len(), rows, "{filters}");
    }
}

/// What decides comes first: switch, key, address, login, action, entity, right; and only then what is to be stored.
#[tokio::test]
async fn e3_rights_are_checked_before_items() {
    let change = |settings: &mut FakeErpSettings| settings.php = Php::Seven;
    let erp = Erp::new(change);
    assert_eq!(erp.error(&asks_to_insert()).await, (500, "items is ampty".to_owned()));
    let without = json!({"action": "insert"});
    assert_eq!(erp.error(&without).await, (500, "items is required".to_owned()));
    assert_eq!(erp.error(&unknown_action()).await, (500, "action \"x\" not exist".to_owned()));

    type Change = fn(&mut FakeErpSettings);
    let wrong: [(Change, &str, u16); 6] = [
        (|erp| erp.may_create = false, "Access denied", 200),
        (|erp| erp.entity_id = 71, "entity 70 not found", 500),
        (|erp| erp.password = "x".to_owned(), "No match for Username and/or Password", 200),
        (|erp| erp.is_active = false, "Your account is not active", 200),
        (|erp| erp.address_is_allowed = false, "IP \"10.0.0.7\" is not allowed!", 200),
        (|erp| erp.key = "x".to_owned(), "API Key mismatch", 500),
    ];
    for (number, (spoil, says, status)) in wrong.into_iter().enumerate() {
        erp.0.configure(spoil);
        assert_eq!(erp.error(&asks_to_insert()).await, (status, says.to_owned()));
        let unknown = erp.error(&unknown_action()).await.1;
        assert_eq!(unknown.starts_with("action"), number < 2, "{says}: {unknown}");
    }
    assert!(erp.0.rows().is_empty(), "all of these are questions");
}

#[tokio::test]
async fn e3_php_8_cannot_say_an_error_whose_code_is_a_word() {
    type Change = fn(&mut FakeErpSettings);
    let wrong: [(Change, &Value); 5] = [
        (|erp| erp.may_create = false, &asks_to_insert()),
        (|erp| erp.may_view = false, &select()),
        (|erp| erp.password = "x".to_owned(), &unknown_action()),
        (|erp| erp.is_active = false, &unknown_action()),
        (|erp| erp.address_is_allowed = false, &unknown_action()),
    ];
    for (spoil, request) in wrong {
        let erp = Erp::new(spoil);
        assert!(is(&erp.answers(request).await, PHP_8_REFUSES), "{request}");
        erp.0.configure(|settings| settings.display_errors = true);
        let (status, page) = erp.answers(request).await;
        assert!(status == 200 && page.contains("Uncaught TypeError"), "{status} {page}");
        // PHP 7 says it, after a notice where those are shown. 3.4.4 does on any PHP.
        erp.0.configure(|settings| settings.php = Php::Seven);
        let (status, page) = erp.answers(request).await;
        assert!(status == 200 && page.starts_with("<br />\n<b>Warning</b>") && page.ends_with('}'));
        erp.0.configure(|settings| settings.display_errors = false);
        assert_eq!(erp.error(request).await.0, 200);
    }
    let erp = Erp::new(|settings| settings.password = "x".to_owned());
    let without_key = json!({"key": null, "action": "x"});
    assert_eq!(erp.error(&without_key).await.0, 500, "before the login is looked at");
}

#[tokio::test]
async fn e4_without_its_database_the_erp_reads_no_request() {
    let erp = Erp::new(|settings| settings.key = "x".to_owned());
    erp.0.break_next(2, ErpFailure::NoDatabase);
    for request in [asks_to_insert(), json!({"action": "insert", "items": {"field_1039": "A"}})] {
        let (status, page) = erp.answers(&request).await;
        assert!(status == 200 && page.contains("2002 - Connection refused"), "{status} {page}");
        assert!(page.contains("Please check database settings in \"config/database.php\" file."));
    }
    assert!(erp.0.rows().is_empty());
}

#[tokio::test]
async fn e5_an_unknown_entity_is_called_so_by_some_actions_and_not_by_select() {
    let erp = Erp::new(|settings| settings.entity_id = 71);
    let fields = json!({"action": "get_entity_fields"});
    assert_eq!(erp.error(&fields).await, (500, "Entity #70 does not exist".to_owned()));
    assert_eq!(erp.error(&asks_to_insert()).await, (500, "entity 70 not found".to_owned()));
    assert!(is(&erp.answers(&select()).await, PHP_8_REFUSES));
    erp.0.configure(|settings| settings.is_administrator = true);
    let (status, page) = erp.answers(&select()).await;
    assert!(status == 200 && page.contains("1146 - Table"), "{status} {page}");
}

#[tokio::test]
async fn e6_fields_are_an_object_by_id_for_any_user() {
    let erp = Erp::new(|settings| {
        (settings.may_view, settings.may_create) = (false, false);
        settings.set_field(ErpField::text("field_1041").unique());
        settings.set_field(ErpField::of_type("field_1042", "fieldtype_dropdown").required());
    });
    let fields = erp.data(&json!({"action": "get_entity_fields"})).await;
    let configuration = |id: &str| -> Value {
        serde_json::from_str(fields[id]["configuration"].as_str().unwrap()).unwrap()
    };
    assert_eq!(fields["1039"]["type"], "fieldtype_input");
    assert_eq!(configuration("1040")["number_format"], "2/./*");
    assert_eq!(
        (&configuration("1039")["is_unique"], &fields["1039"]["is_required"]),
        (&json!("0"), &json!("0"))
    );
    assert_eq!(configuration("1041")["is_unique"], "1");
    assert_eq!(
        (&fields["1042"]["type"], &fields["1042"]["is_required"]),
        (&json!("fieldtype_dropdown"), &json!("1"))
    );
    assert_eq!(fields["1030"]["configuration"], "", "fields of the system have none");
}

#[tokio::test]
async fn e7_who_may_not_view_all_is_denied_and_shown_no_empty_list() {
    let erp = Erp::new(|settings| settings.may_view = false);
    assert!(is(&erp.answers(&select()).await, PHP_8_REFUSES));
    erp.0.configure(|settings| settings.php = Php::Seven);
    assert_eq!(erp.error(&select()).await, (200, "Access denied".to_owned()));
    erp.0.configure(|settings| settings.is_administrator = true);
    assert_eq!(erp.selects(json!({})).await, json!([]));
}

#[tokio::test]
async fn e8_a_filter_on_a_field_of_another_entity_breaks_the_query() {
    let erp = Erp::new(|settings| settings.fields_elsewhere.push("field_900".to_owned()));
    let filtered = json!({"action": "select", "filters": {"900": "7"}});
    let (status, page) = erp.answers(&filtered).await;
    assert!(status == 200 && page.contains("1054 - Unknown column"), "{status} {page}");
}

#[tokio::test]
async fn e8_a_unique_name_refuses_the_second_deal_of_that_name() {
    let erp = Erp::new(|settings| settings.set_field(ErpField::text("field_1039").unique()));
    let deal = json!({"field_1039": "Заявка с сайта", "field_1041": "7"});
    assert_eq!(erp.inserts(deal.clone()).await, json!({"id": "119"}));
    let warning = json!([{"id": "1039", "value": "Заявка с сайта"}]);
    assert_eq!(erp.inserts(deal).await, json!({"id": "", "unique_fields_warning": warning}));
    assert_eq!(erp.0.rows().len(), 1);
}

#[tokio::test]
async fn e8_a_sub_entity_wants_a_parent_before_it_looks_at_fields() {
    let erp = Erp::new(|settings| settings.is_sub_entity = true);
    let insert = |items: Value| json!({"action": "insert", "items": items});
    assert_eq!(erp.error(&insert(json!({"field_0": ""}))).await.1, "parent_item_id is required");
    assert_eq!(erp.inserts(json!({"parent_item_id": 7, "field_1039": "A"})).await["id"], "119");
    assert_eq!(erp.selects(json!({})).await[0]["parent_item_id"], "7");
    erp.0.configure(|settings| settings.is_sub_entity = false);
    let unknown = erp.error(&insert(json!({"field_0": ""}))).await;
    assert_eq!(unknown, (500, "field_0 not exist in entity 70".to_owned()));
}

#[tokio::test]
async fn e8_php_keeps_14_digits_of_a_json_number_with_a_fraction() {
    let erp = Erp::new(|_| {});
    for (sent, held) in [
        (json!(15_000), json!(15_000)),
        (json!(15_000.5), json!(15_000.5)),
        (json!(999_999_999_999.99), json!(999_999_999_999.99)),
        (json!(1_234_567_890_123.45), json!("1234567890123.4")),
        (json!(123_456_789_012_345.67), json!("1.2345678901235E+14")),
        (json!(1e25), json!(1e25)),
        (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_993_i64)),
        (json!("123456789012345.67"), json!("123456789012345.67")),
    ] {
        erp.inserts(json!({"field_1040": sent.clone()})).await;
        assert_eq!(erp.0.rows().last().unwrap().fields["field_1040"], held, "{sent}");
    }
}

#[tokio::test]
async fn e8_a_text_longer_than_255_letters_is_cut() {
    let erp = Erp::new(|_| {});
    erp.inserts(json!({"field_1039": "ж".repeat(300)})).await;
    assert_eq!(erp.0.rows()[0].fields["field_1039"], "ж".repeat(255));
}

#[tokio::test]
async fn an_update_is_by_id_and_one_that_matches_nothing_says_no_id() {
    let erp = Erp::new(|_| {});
    erp.inserts(json!({"field_1039": "A", "field_1040": 0})).await;
    let update = |id: &str| {
        let data = json!({"field_1040": "185000", "field_77": "ignored"});
        json!({"action": "update", "data": data, "update_by_field": {"id": id}})
    };
    assert_eq!(erp.data(&update("119")).await, json!({"id": "119"}));
    assert_eq!(erp.0.rows()[0].fields["field_1040"], "185000");
    assert!(!erp.0.rows()[0].fields.contains_key("field_77"));
    assert_eq!(erp.data(&update("120")).await, json!({"id": ""}), "it was deleted");
    assert_eq!(erp.error(&json!({"action": "update"})).await.1, "data is required");
    erp.0.configure(|settings| settings.may_update = false);
    assert!(is(&erp.answers(&update("119")).await, PHP_8_REFUSES));
}

#[tokio::test]
async fn an_old_erp_reads_no_json_and_says_errors_with_200() {
    let erp = Erp::new(|settings| settings.version = ErpVersion::V344);
    assert_eq!(erp.error(&select()).await, (200, "key is required".to_owned()));
}
