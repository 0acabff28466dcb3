//! The contract for other apps: `contract/` holds what is made here of the types of the events.
//!
//! `REGENERATE=1 cargo test -p functions contract` writes it anew.

mod typescript;

use std::collections::BTreeMap;
use std::path::Path;

use inngest::EventData;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Number, Value, json};

use crate::webhook::AmoCrmWebhook;
use crate::{CreateDeal, WebhookData};

/// A text, a number, yes or no; null is as good as absent.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
#[schemars(inline, untagged)]
pub(crate) enum FieldValue {
    Text(String),
    Number(Number),
    YesNo(bool),
    Nothing(()),
}

/// What a run of `createCrmDeal` returns, and `step.invoke` with it: the ERP's reply as it came.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
struct CreateDealResult {
    #[schemars(extend("const" = "success"))]
    status: String,
    data: NewRecord,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
#[schemars(inline)]
struct NewRecord {
    /// The record's id in the ERP.
    id: RecordId,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
#[schemars(inline, untagged)]
enum RecordId {
    Text(String),
    Number(u64),
}

/// The pairs of the form that amoCRM sends, such as `leads[status][0][id]`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
#[schemars(extend("minProperties" = 1))]
struct AmoCrmForm(BTreeMap<String, FormValue>);

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
#[schemars(inline, untagged)]
enum FormValue {
    Text(String),
    Number(Number),
    Several(Vec<String>),
}

/// The form as Inngest's own webhook intake hands it on.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
struct AmoCrmFormOfInngest {
    data: AmoCrmForm,
}

/// Leads have moved in amoCRM. What the event says of a lead is a hint: it is read from amoCRM.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema matters")]
#[schemars(untagged)]
enum AmoCrmWebhookData {
    Lead(Box<AmoCrmWebhook>),
    FormOfInngest(AmoCrmFormOfInngest),
    Form(AmoCrmForm),
}

/// The schema of the event `name` with the data `T`, as it is sent to Inngest. Among its definitions is `R`, what the run
/// returns.
fn event<T: JsonSchema, R: JsonSchema>(name: &str, title: &str) -> Value {
    // JSON has no sizes of integers.
    let without_format = RecursiveTransform(|schema: &mut Schema| _ = schema.remove("format"));
    let settings = SchemaSettings::draft2020_12().with_transform(without_format);
    let mut generator = settings.into_generator();
    let data = generator.subschema_for::<T>();
    generator.subschema_for::<R>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {
            "name": { "const": name },
            "data": data,
            "id": {
                "description": "Makes the event idempotent: Inngest starts nothing for a second one with the same id within \
                                24 hours.",
                "type": "string",
                "minLength": 1,
            },
            "ts": {
                "description": "When it happened, in milliseconds since 1970. Default: now.",
                "type": "integer",
            },
        },
        "required": ["name", "data"],
        "$defs": generator.take_definitions(true),
    })
}

/// The files of `contract/` and what they must say.
fn files() -> [(&'static str, String); 3] {
    let deal = event::<CreateDeal, CreateDealResult>(CreateDeal::NAME, "CreateDealEvent");
    let webhook = event::<AmoCrmWebhookData, ()>(WebhookData::NAME, "AmoCrmWebhookEvent");
    let pretty = |schema: &Value| format!("{schema:#}\n");
    [
        ("create-deal.schema.json", pretty(&deal)),
        ("amocrm-webhook.schema.json", pretty(&webhook)),
        ("events.ts", typescript::module(&[deal, webhook])),
    ]
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether to write is asked of the environment")]
fn the_contract_says_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract");
    for (name, text) in files() {
        let file = folder.join(name);
        if std::env::var("REGENERATE").is_ok() {
            std::fs::write(&file, &text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        let remedy =
            "a type of an event has changed: REGENERATE=1 cargo test -p functions contract";
        assert!(written == text, "contract/{name} is not up to date; {remedy}");
    }
}
