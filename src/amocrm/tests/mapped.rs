//! What of a lead, its contact and its company goes into the record besides name and amount.

use std::collections::BTreeMap;
use std::time::Duration;

use functions::ports::{More, Related, Retry};
use sandbox::AmoCrmFailure;
use serde_json::{Value, json};

use super::{Account, refused};
use crate::amocrm::{Mapping, Source};

const LEAD: u64 = 45_721_053;
const CONTACT: u64 = 10_971_465;
const COMPANY: u64 = 10_971_463;

/// A mapping as `CRM_FIELDS` says it.
fn mapping(fields: &[(&str, &str)]) -> Mapping {
    let field =
        |(source, field): &(&str, &str)| (Source::named(source).unwrap(), field.to_string());
    Mapping { fields: fields.iter().map(field).collect(), users: [(504_141, 12)].into() }
}

/// An account with a lead, its two contacts and its company, and this mapping.
async fn account(fields: &[(&str, &str)]) -> Account {
    let account = Account::new().await.with(|settings| settings.mapping = mapping(fields));
    let amocrm = &account.amocrm;
    amocrm.set_lead(LEAD, "Поставка окон", 15_000);
    let utm = json!({"field_id": 1_278_898_021, "field_type": "tracking_data", "values": [{"value": "yandex"}]});
    amocrm.change_lead(
        LEAD,
        json!({
            "custom_fields_values": [utm],
            "_embedded": {
                "tags": [{"id": 1, "name": "опт", "color": null}, {"id": 2, "name": "срочно"}],
                "companies": [{"id": COMPANY}],
                "contacts": [{"id": 1, "is_main": false}, {"id": CONTACT, "is_main": true}],
            },
        }),
    );
    amocrm.set_contact(CONTACT, "Иван Петров", &coded("PHONE", "+7 999 000-00-00"));
    amocrm.set_company(COMPANY, "ООО \"Ромашка\"", &coded("EMAIL", "info@example.org"));
    account
}

fn coded(code: &str, value: &str) -> Value {
    json!([{"field_id": 5, "field_code": code, "values": [{"value": value, "enum_code": "WORK"}]}])
}

fn texts<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields.map(|(field, text)| (field.to_owned(), text.to_owned())).into()
}

fn paths(account: &Account) -> Vec<String> {
    let requests = account.amocrm.requests().into_iter().map(|request| request.uri.to_string());
    requests.filter(|path| path.starts_with("/api/")).collect()
}

#[tokio::test]
async fn the_lead_says_most_of_it() {
    let account = account(&[
        ("lead.id", "field_1"),
        ("lead.url", "field_2"),
        ("lead.created_at", "field_3"),
        ("responsible", "field_4"),
        ("tags", "field_5"),
        ("cf.1278898021", "field_6"),
        ("cf.5", "field_7"),
    ])
    .await;
    let more = account.client().lead(LEAD).await.unwrap().unwrap().more;
    let url = format!("{}leads/detail/45721053", account.amocrm.url());
    let fields = texts([
        ("field_1", "45721053"),
        ("field_2", &url),
        ("field_3", "2020-03-27T08:52:51Z"),
        ("field_4", "12"),
        ("field_5", "опт, срочно"),
        ("field_6", "yandex"),
    ]);
    assert_eq!(more, More { fields, related: Related::default() });
    assert_eq!(paths(&account), ["/api/v4/leads/45721053"], "one call, as without a mapping");
}

#[tokio::test]
async fn pipeline_and_stage_go_by_their_names_which_are_read_once_in_ten_minutes() {
    let account = account(&[("pipeline", "field_1"), ("status", "field_2")]).await;
    let client = account.client();
    let named = texts([("field_1", "Продажи"), ("field_2", "Договор подписан")]);
    let pipeline = "/api/v4/leads/pipelines/9679730";
    let reads = || paths(&account).iter().filter(|path| *path == pipeline).count();
    for _ in 0..3 {
        assert_eq!(client.lead(LEAD).await.unwrap().unwrap().more.fields, named);
    }
    assert_eq!(reads(), 1);
    account.clock.advance(Duration::from_secs(601));
    client.lead(LEAD).await.unwrap();
    assert_eq!(reads(), 2);

    account.amocrm.change_lead(LEAD, json!({"status_id": 1}));
    let fields = client.lead(LEAD).await.unwrap().unwrap().more.fields;
    assert_eq!((fields, reads()), (texts([("field_1", "Продажи")]), 3), "a stage that is new");
    account.amocrm.change_lead(LEAD, json!({"pipeline_id": 1}));
    let fields = client.lead(LEAD).await.unwrap().unwrap().more.fields;
    assert_eq!(fields, texts([]), "a pipeline that is not shown");
}

#[tokio::test]
async fn a_user_whom_the_erp_does_not_know_leaves_the_field_out() {
    let account = account(&[("responsible", "field_4")]).await;
    for user in [json!(7), json!(null), json!("504141"), json!([])] {
        account.amocrm.change_lead(LEAD, json!({"responsible_user_id": user}));
        let more = account.client().lead(LEAD).await.unwrap().unwrap().more;
        assert_eq!(more, More::default(), "{user}");
    }
}

#[tokio::test]
async fn contact_and_company_are_read_where_something_of_them_is_used() {
    let account = account(&[
        ("contact.name", "field_1"),
        ("contact.phone", "field_2"),
        ("contact.email", "field_3"),
        ("company.name", "field_4"),
        ("company.cf.5", "field_5"),
    ])
    .await;
    let client = account.client();
    let more = client.lead(LEAD).await.unwrap().unwrap().more;
    let related = Related { contact_id: Some(CONTACT), company_id: Some(COMPANY) };
    assert_eq!(more, More { fields: texts([]), related });
    let fields = texts([
        ("field_1", "Иван Петров"),
        ("field_2", "+7 999 000-00-00"),
        ("field_4", "ООО \"Ромашка\""),
        ("field_5", "info@example.org"),
    ]);
    assert_eq!(client.related(related).await, Ok(fields));
    assert_eq!(
        paths(&account),
        [
            "/api/v4/leads/45721053?with=contacts",
            "/api/v4/contacts/10971465",
            "/api/v4/companies/10971463"
        ]
    );
}

#[tokio::test]
async fn only_the_one_that_is_used_is_read() {
    let account = account(&[("company.name", "field_4")]).await;
    let more = account.client().lead(LEAD).await.unwrap().unwrap().more;
    assert_eq!(more.related, Related { contact_id: None, company_id: Some(COMPANY) });
    assert_eq!(paths(&account), ["/api/v4/leads/45721053"]);
}

#[tokio::test]
async fn a_contact_that_is_gone_leaves_its_fields_out() {
    let account = account(&[("contact.name", "field_1"), ("company.name", "field_4")]).await;
    let client = account.client();
    let related = Related { contact_id: Some(CONTACT), company_id: Some(COMPANY) };
    let company = Ok(texts([("field_4", "ООО \"Ромашка\"")]));
    account.amocrm.remove_contact(CONTACT);
    assert_eq!(client.related(related).await, company, "HTTP 204");
    let not_found = r#"{"title":"Not Found","status":404}"#.to_owned();
    account.amocrm.fail_next(1, AmoCrmFailure::Answer { status: 404, body: not_found });
    assert_eq!(client.related(related).await, company, "HTTP 404 of the API");
}

#[tokio::test]
async fn what_a_contact_cannot_be_read_for_decides_whether_it_is_read_again() {
    let account = account(&[("contact.name", "field_1")]).await;
    let client = account.client();
    let related = Related { contact_id: Some(CONTACT), company_id: None };
    for (status, body, retry, says) in [
        (
            502,
            "<h1>Bad Gateway</h1>",
            Retry::Again,
            "amoCRM contact 10971465 could not be read: amoCRM does not answer",
        ),
        (
            403,
            r#"{"title":"Forbidden","status":403}"#,
            Retry::Never,
            "amoCRM contact 10971465 could not be read: amoCRM does not allow this: HTTP 403, Forbidden",
        ),
        (
            200,
            r#"{"id":7}"#,
            Retry::Never,
            "amoCRM contact 10971465 could not be read: amoCRM answered with another contact, 7",
        ),
    ] {
        account.amocrm.fail_next(1, AmoCrmFailure::Answer { status, body: body.to_owned() });
        let error = refused(client.related(related).await);
        assert_eq!(error.retry(), retry);
        assert!(error.to_string().starts_with(says), "{error}");
    }
}
