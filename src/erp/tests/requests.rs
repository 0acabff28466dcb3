//! What is sent.

use functions::ports::Deal;
use sandbox::{ErpFailure, ErpField, ErpVersion, FakeErpSettings};
use serde_json::Number;

use super::{Bench, in_time, lead_deal, marked, reply, run_deal};
use crate::erp::{Body, Insertion};
use crate::outbound::USER_AGENT;

#[tokio::test]
async fn a_deal_is_sent_as_json_in_the_order_of_the_contract() {
    let bench = Bench::new().await;
    let created = bench.client().insert(&run_deal(), in_time()).await;

    assert_eq!(created, Ok(Insertion::Created { id: "119".to_owned(), reply: reply("119") }));
    assert_eq!(
        bench.last_body(),
        r#"{"key":"fake-erp-key","username":"fake-erp-user","password":"fake-erp-password","action":"insert","entity_id":70,"items":{"field_1039":"Поставка окон","field_1040":15000}}"#
    );
    let request = &bench.erp.requests()[0];
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("accept"), "application/json");
    assert_eq!(request.header("user-agent"), USER_AGENT);
    assert_eq!(request.uri, "/api/rest.php", "the key is never in an address");
}

#[tokio::test]
async fn a_deal_is_sent_as_a_form_to_an_erp_that_reads_only_forms() {
    let old = FakeErpSettings { version: ErpVersion::V344, ..FakeErpSettings::default() };
    let bench = Bench::of(old).await.with(|settings| settings.body = Body::Form).with(marked);

    assert_eq!(bench.insert(&lead_deal(45721053)).await, "119");
    assert_eq!(
        bench.last_body(),
        "key=fake-erp-key&username=fake-erp-user&password=fake-erp-password&action=insert&entity_id=70\
         &items%5Bfield_1039%5D=%D0%9F%D0%BE%D1%81%D1%82%D0%B0%D0%B2%D0%BA%D0%B0+%D0%BE%D0%BA%D0%BE%D0%BD\
         &items%5Bfield_1040%5D=15000&items%5Bfield_1041%5D=45721053"
    );
    let request = &bench.erp.requests()[0];
    assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
}

fn number(text: &str) -> Option<Number> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn an_amount_is_left_out_when_absent_or_zero_and_exact_to_the_kopeck_otherwise() {
    let bench = Bench::new().await;
    for (amount, sent) in [
        (None, r#"{"field_1039":"Поставка окон"}"#),
        (Some(0.into()), r#"{"field_1039":"Поставка окон"}"#),
        (Number::from_f64(0.0), r#"{"field_1039":"Поставка окон"}"#),
        (Number::from_f64(-0.0), r#"{"field_1039":"Поставка окон"}"#),
        (Some(15_000.into()), r#"{"field_1039":"Поставка окон","field_1040":15000}"#),
        (Number::from_f64(99.5), r#"{"field_1039":"Поставка окон","field_1040":99.5}"#),
        (Some((-5).into()), r#"{"field_1039":"Поставка окон","field_1040":-5}"#),
        (number("100.0"), r#"{"field_1039":"Поставка окон","field_1040":100}"#),
        (number("0.30000000000000004"), r#"{"field_1039":"Поставка окон","field_1040":0.3}"#),
        (
            number("999999999999.99"),
            r#"{"field_1039":"Поставка окон","field_1040":999999999999.99}"#,
        ),
        // PHP would round them.
        (
            number("9999999999999.99"),
            r#"{"field_1039":"Поставка окон","field_1040":"9999999999999.99"}"#,
        ),
        (
            Some(u64::MAX.into()),
            r#"{"field_1039":"Поставка окон","field_1040":"18446744073709551615"}"#,
        ),
        (number("1e21"), r#"{"field_1039":"Поставка окон","field_1040":"1000000000000000000000"}"#),
        (number("1e-7"), r#"{"field_1039":"Поставка окон","field_1040":"0.0000001"}"#),
    ] {
        bench.insert(&Deal { amount, ..run_deal() }).await;
        assert!(bench.last_body().ends_with(&format!("\"items\":{sent}}}")), "{sent}");
    }
}

#[tokio::test]
async fn an_amount_in_a_form_has_all_its_digits() {
    let bench = Bench::new().await.with(|settings| settings.body = Body::Form);
    for (amount, sent) in [
        ("100.5", "100.5"),
        ("0.30000000000000004", "0.3"),
        ("9999999999999.99", "9999999999999.99"),
        ("1e21", "1000000000000000000000"),
    ] {
        bench.insert(&Deal { amount: number(amount), ..run_deal() }).await;
        assert!(bench.last_body().ends_with(&format!("%5D={sent}")), "{amount}");
    }
}

#[tokio::test]
async fn the_marker_is_the_lead_id_in_digits() {
    let bench = Bench::new().await.with(marked);
    bench.insert(&lead_deal(45721053)).await;
    assert!(bench.last_body().ends_with(r#""field_1040":15000,"field_1041":"45721053"}}"#));

    bench.insert(&run_deal()).await;
    assert!(!bench.last_body().contains("field_1041"), "a deal without a lead has no marker");
}

#[tokio::test]
async fn a_deal_may_name_its_own_entity() {
    let bench = Bench::of(FakeErpSettings { entity_id: 71, ..FakeErpSettings::default() }).await;
    bench.insert(&Deal { entity_id: Some(71), ..run_deal() }).await;
    assert!(bench.last_body().contains(r#""action":"insert","entity_id":71,"#));
}

/// An ERP with more fields than those of the demo, and a client of it.
async fn with_more_fields() -> Bench {
    let mut erp = FakeErpSettings::default();
    erp.fields.extend(["field_1056", "field_1060"].map(ErpField::text));
    Bench::of(erp).await.with(marked)
}

fn deal_with<const N: usize>(fields: [(&str, &str); N]) -> Deal {
    let fields = fields.map(|(field, text)| (field.to_owned(), text.to_owned())).into();
    Deal { fields, ..lead_deal(45721053) }
}

#[tokio::test]
async fn other_fields_follow_name_and_amount_as_clean_as_the_name() {
    let bench = with_more_fields().await;
    let url = "https://example.amocrm.ru/leads/detail/45721053";
    bench.insert(&deal_with([("field_1060", url), ("field_1056", "Иван\n<b>Петров")])).await;
    assert!(bench.last_body().ends_with(
        r#""field_1040":15000,"field_1056":"Иван _b_Петров","field_1060":"https://example.amocrm.ru/leads/detail/45721053","field_1041":"45721053"}}"#
    ));
    bench.insert(&deal_with([("field_1056", "\n")])).await;
    assert!(!bench.last_body().contains("field_1056"), "there is nothing to write");
}

#[tokio::test]
async fn a_record_may_be_made_in_the_name_of_a_user() {
    for (body, sent) in [
        (Body::Json, r#""field_1040":15000,"created_by":12}}"#),
        (Body::Form, "15000&items%5Bcreated_by%5D=12"),
    ] {
        let bench = Bench::new().await.with(|settings| {
            settings.body = body;
            settings.created_by = Some(12);
        });
        bench.insert(&run_deal()).await;
        assert!(bench.last_body().ends_with(sent), "{}", bench.last_body());
    }
}

#[tokio::test]
async fn an_error_that_quotes_the_fields_of_a_deal_does_not_hand_them_on() {
    let bench = with_more_fields().await;
    let deal = deal_with([("field_1056", "Иван & <О'Петров"), ("field_1060", "+7 999 000-00-00")]);
    for failure in [
        ErpFailure::InsertThenAnswer {
            status: 200,
            body: "<app_db_error>Database Error: 1366 - Incorrect value: '+7 999 000-00-00' Query: insert 'Иван &amp; &lt;О\\&#039;Петров'".into(),
        },
        ErpFailure::Error { code: "500".into(), message: "'+7 999 000-00-00' is no number".into() },
        ErpFailure::InsertThenAnswer {
            status: 200,
            body: r#"{"status":"success","data":{"id":"","value":"+7 999 000-00-00"}}"#.into(),
        },
    ] {
        bench.erp.fail_next(1, failure);
        let said = format!("{:?}", bench.client().insert(&deal, in_time()).await);
        assert!(said.contains("[secret]"), "{said}");
        assert!(!said.contains("999") && !said.contains("Петров"), "{said}");
    }
}
