//! More fields than name and amount, from amoCRM to the ERP.

use sandbox::ErpField;
use serde_json::{Value, json};

use crate::world::{Begin as _, World, given};

const LEAD: u64 = 45_721_053;

const FIELDS: &str = "lead.url:field_1060,responsible:field_1050,pipeline:field_1051,status:field_1052,tags:field_1055,\
                      contact.name:field_1056,contact.phone:field_1057,contact.email:field_1058,company.name:field_1059,\
                      cf.1278898021:field_1061";

fn erp_fields() -> impl Iterator<Item = String> {
    (1050..=1061).map(|number| format!("field_{number}"))
}

/// A world with a lead that has everything, and a service with this mapping.
async fn with(fields: &str) -> World {
    let mut world = given()
        .lead(LEAD, "Поставка <b>окон", 100)
        .erp(|erp| erp.fields.extend(erp_fields().map(|field| ErpField::text(&field))))
        .variable("CRM_FIELDS", fields)
        .variable("CRM_ON_CHANGE", "update")
        .variable("CRM_FIELD_EXTERNAL_ID", "field_1041");
    if !fields.is_empty() {
        world = world.variable("CRM_USERS", "504141:12").variable("CRM_CREATED_BY", "7");
    }
    let world = world.end_to_end().await;
    let amocrm = &world.amocrm;
    amocrm.change_lead(
        LEAD,
        json!({
            "price_with_minor_units": 100.5,
            "custom_fields_values": [
                {"field_id": 1_278_898_021, "field_type": "date", "values": [{"value": 1_588_885_200}]},
            ],
            "_embedded": {
                "tags": [{"id": 1, "name": "опт"}],
                "companies": [{"id": 6}],
                "contacts": [{"id": 5, "is_main": true}],
            },
        }),
    );
    let values = |code, value: &str| json!({"field_code": code, "values": [{"value": value}]});
    let own = json!([values("PHONE", "+79990000000"), values("EMAIL", "ivan@example.org")]);
    amocrm.set_contact(5, "Иван <img src=x onerror=alert(1)", &own);
    amocrm.set_company(6, "ООО \"Ромашка\"", &Value::Null);
    world
}

/// What the record that the last request made has.
fn items(world: &World) -> Value {
    let mut body: Value =
        serde_json::from_str(&world.erp.requests().last().unwrap().text()).unwrap();
    body["items"].take()
}

#[tokio::test]
async fn all_that_is_mapped_arrives_in_one_record() {
    let world = with(FIELDS).await;
    let run = world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(run.status, "Completed");
    let lead = json!({ "id": LEAD, "name": "Поставка <b>окон", "price": 100.5 });
    assert_eq!(run.output["amoCrmLead"], lead, "the result does not grow");
    let url = format!("{}leads/detail/{LEAD}", world.amocrm.url());
    assert_eq!(
        items(&world),
        json!({
            "field_1039": "Поставка _b_окон",
            "field_1040": 100.5,
            "field_1041": LEAD.to_string(),
            "field_1050": "12",
            "field_1051": "Продажи",
            "field_1052": "Договор подписан",
            "field_1055": "опт",
            "field_1056": "Иван _img src=x onerror=alert(1)",
            "field_1057": "+79990000000",
            "field_1058": "ivan@example.org",
            "field_1059": "ООО \"Ромашка\"",
            "field_1060": url,
            "field_1061": "2020-05-08",
            "created_by": 7,
        })
    );
    for page in ["/", "/metrics", "/readyz"] {
        let page = world.admin_page(page).await.text;
        assert!(!page.contains("79990000000") && !page.contains("ivan@"), "{page}");
    }
    world.end().await;
}

#[tokio::test]
async fn without_a_mapping_nothing_more_is_asked_for_and_sent() {
    let world = with("").await;
    let run = world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(run.status, "Completed");
    let asked: Vec<_> = world.amocrm.requests().iter().map(|sent| sent.uri.to_string()).collect();
    let of_leads =
        asked.iter().filter(|path| path.starts_with("/api/v4/") && !path.contains("account"));
    assert_eq!(Vec::from_iter(of_leads), ["/api/v4/leads/45721053"]);
    assert_eq!(
        world.erp.requests().last().unwrap().text(),
        r#"{"key":"fake-erp-key","username":"fake-erp-user","password":"fake-erp-password","action":"insert","entity_id":70,"items":{"field_1039":"Поставка _b_окон","field_1040":100.5,"field_1041":"45721053"}}"#
    );
    world.end().await;
}

#[tokio::test]
async fn a_contact_that_is_gone_leaves_its_fields_empty() {
    let world =
        with("contact.name:field_1056,contact.phone:field_1057,company.name:field_1059").await;
    world.amocrm.remove_contact(5);
    let run = world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    assert_eq!(run.status, "Completed");
    let items = items(&world);
    assert_eq!(items["field_1059"], "ООО \"Ромашка\"");
    assert!(items.get("field_1056").is_none() && items.get("field_1057").is_none(), "{items}");
    world.end().await;
}

#[tokio::test]
async fn another_app_may_fill_the_fields_that_are_configured_and_no_others() {
    let world = with("lead.url:field_1060,tags:field_1055").await;
    let fields = json!({ "field_1060": "A & <i>B", "field_1055": 12.50 });
    let run = world.run_of("crm/create-deal", json!({ "dealName": "A", "fields": fields })).await;
    assert_eq!(run.status, "Completed");
    assert_eq!(
        items(&world),
        json!({ "field_1039": "A", "field_1055": "12.5", "field_1060": "A & _i_B", "created_by": 7 })
    );
    for (fields, says) in [
        (
            json!({ "field_1039": "B" }),
            "fields.field_1039 of deal `A` is not allowed: those of CRM_FIELDS are field_1055, field_1060",
        ),
        (
            json!({ "field_1060": {} }),
            "fields.field_1060 of deal `A` must be a text, a number, true or false",
        ),
    ] {
        let run =
            world.run_of("crm/create-deal", json!({ "dealName": "A", "fields": fields })).await;
        assert_eq!((run.status.as_str(), &run.output["message"]), ("Failed", &json!(says)));
    }
    assert_eq!(world.erp.rows().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_field_that_changes_later_is_written_into_the_record() {
    let world = with("contact.phone:field_1057,status:field_1052").await;
    world.run_of("amocrm/webhook", json!({ "leadId": LEAD })).await;
    let phone = |number: &str| json!([{"field_code": "PHONE", "values": [{"value": number}]}]);
    world.amocrm.set_contact(5, "Иван", &phone("+7 888 000-00-00"));
    let changed = json!({ "leadId": LEAD, "action": "update" });
    for updated in [json!(true), Value::Null] {
        let run = world.run_of("amocrm/webhook", changed.clone()).await;
        assert_eq!((run.status.as_str(), &run.output["updated"]), ("Completed", &updated));
    }
    let rows = world.erp.rows();
    assert_eq!(rows[0].fields["field_1057"], "+7 888 000-00-00");
    assert_eq!(rows[0].fields["field_1052"], "Договор подписан");
    assert_eq!((rows.len(), world.erp.count("update")), (1, 1));
    world.end().await;
}
