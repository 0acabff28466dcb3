//! What a request to the ERP looks like on the wire.

use functions::amount;
use functions::ports::{Deal, DealKey};
use secrecy::ExposeSecret as _;
use serde::{Serialize, Serializer};
use serde_json::Number;

use super::settings::{Body, ErpSettings};
use super::text::stored_text;

/// One call: an action with its parameters, in the order in which they are sent.
pub(super) struct Call<'a> {
    settings: &'a ErpSettings,
    action: &'static str,
    entity_id: u64,
    parameters: Vec<(&'static str, Value)>,
}

/// No action of any version is called so.
pub(super) const NO_ACTION: &str = "prometei_flow_asks";

/// The values that the API takes: a scalar, or one level of named scalars.
enum Value {
    Text(String),
    Number(Number),
    Fields(Vec<(String, Value)>),
}

impl Value {
    /// PHP keeps so many digits of a number in JSON when it makes a text of it. Of a text it keeps all.
    const DIGITS_OF_PHP: usize = 14;

    /// An amount, unless it is zero.
    fn amount(amount: &Number) -> Option<Self> {
        let decimal = amount::decimal(amount);
        let as_number = decimal.parse::<Number>().ok().filter(|number| {
            amount::significant(&decimal) <= Self::DIGITS_OF_PHP && number.to_string() == decimal
        });
        (decimal != "0").then(|| as_number.map_or(Self::Text(decimal), Self::Number))
    }
}

impl<'a> Call<'a> {
    /// What it is, in the metrics. A question, which creates nothing, may be asked as an insert of nothing.
    pub(super) fn name(&self, is_question: bool) -> &'static str {
        match self.action {
            "insert" | "update" | NO_ACTION if is_question => "question",
            action => action,
        }
    }

    /// Creates the record of `deal`.
    pub(super) fn insert(settings: &'a ErpSettings, deal: &Deal) -> Self {
        let mut items = items(settings, deal, Blanks::LeftOut);
        if let (Some(marker), DealKey::Lead { lead_id, .. }) =
            (&settings.field_external_id, &deal.key)
        {
            // Digits only: the ERP puts the value of a unique field into its SQL as it stands.
            items.push((marker.clone(), Value::Text(lead_id.to_string())));
        }
        if let Some(user) = settings.created_by {
            items.push(("created_by".to_owned(), Value::Number(user.into())));
        }
        Self {
            settings,
            action: "insert",
            entity_id: deal.entity_id.unwrap_or(settings.entity_id),
            parameters: vec![("items", Value::Fields(items))],
        }
    }

    /// Writes what is ours of `deal`, and not its marker, into the record `id`. By its number alone: by anything else the ERP
    /// might find several.
    pub(super) fn update(settings: &'a ErpSettings, entity_id: u64, id: &str, deal: &Deal) -> Self {
        let data = items(settings, deal, Blanks::Written);
        let by_id = vec![("id".to_owned(), Value::Text(id.to_owned()))];
        let parameters =
            vec![("data", Value::Fields(data)), ("update_by_field", Value::Fields(by_id))];
        Self { settings, action: "update", entity_id, parameters }
    }

    /// Reads at most two records whose `marker` holds `lead_id`. Two are enough to see whether the filter worked.
    pub(super) fn select(
        settings: &'a ErpSettings,
        entity_id: u64,
        marker: &str,
        lead_id: u64,
    ) -> Self {
        let marker = column(marker);
        let columns = [column(&settings.field_deal_name), column(&settings.field_amount), marker];
        // The value is a text also in JSON: a number is silently dropped, and the filter with it.
        let filter = Value::Fields(vec![(marker.to_owned(), Value::Text(lead_id.to_string()))]);
        let parameters = vec![
            ("select_fields", Value::Text(columns.join(","))),
            ("filters", filter),
            ("limit", Value::Number(2.into())),
        ];
        Self { settings, action: "select", entity_id, parameters }
    }

    /// Reads any one record.
    pub(super) fn any_record(settings: &'a ErpSettings) -> Self {
        let columns = Value::Text(column(&settings.field_deal_name).to_owned());
        let parameters = vec![("select_fields", columns), ("limit", Value::Number(1.into()))];
        Self { settings, action: "select", entity_id: settings.entity_id, parameters }
    }

    /// An insert without a record.
    pub(super) fn nothing(settings: &'a ErpSettings, entity_id: u64) -> Self {
        let parameters = vec![("items", Value::Fields(Vec::new()))];
        Self { settings, action: "insert", entity_id, parameters }
    }

    /// An insert into a field that no entity has. The ERP refuses it before it stores anything.
    pub(super) fn no_such_field(settings: &'a ErpSettings) -> Self {
        let items = vec![("field_0".to_owned(), Value::Text(String::new()))];
        let parameters = vec![("items", Value::Fields(items))];
        Self { settings, action: "insert", entity_id: settings.entity_id, parameters }
    }

    /// An update of the record 0. The ERP ignores fields that it does not know, but wants one.
    pub(super) fn update_of_none(settings: &'a ErpSettings) -> Self {
        let fields = |name: &str, value: &str| {
            Value::Fields(vec![(name.to_owned(), Value::Text(value.to_owned()))])
        };
        let parameters =
            vec![("data", fields("field_0", "")), ("update_by_field", fields("id", "0"))];
        Self { settings, action: "update", entity_id: settings.entity_id, parameters }
    }

    /// An action that the ERP does not have.
    pub(super) fn unknown_action(settings: &'a ErpSettings) -> Self {
        Self { settings, action: NO_ACTION, entity_id: settings.entity_id, parameters: Vec::new() }
    }

    /// Reads which fields the configured entity has.
    pub(super) fn entity_fields(settings: &'a ErpSettings) -> Self {
        let (action, entity_id) = ("get_entity_fields", settings.entity_id);
        Self { settings, action, entity_id, parameters: Vec::new() }
    }

    /// The content type and the body. The body holds the key and the password: it is for the wire only.
    pub(super) fn encode(&self) -> serde_json::Result<(&'static str, Vec<u8>)> {
        match self.settings.body {
            Body::Json => Ok(("application/json", serde_json::to_vec(self)?)),
            Body::Form => Ok(("application/x-www-form-urlencoded", self.form().into_bytes())),
        }
    }

    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("key", self.settings.key.expose_secret())
            .append_pair("username", &self.settings.username)
            .append_pair("password", self.settings.password.expose_secret())
            .append_pair("action", self.action)
            .append_pair("entity_id", &self.entity_id.to_string());
        for (name, value) in &self.parameters {
            append(&mut form, name, value);
        }
        form.finish()
    }
}

/// What becomes of an amount of zero and of texts without a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blanks {
    LeftOut,
    /// Left out, the record would keep what it has.
    Written,
}

/// What the record of `deal` holds, its marker excepted.
fn items(settings: &ErpSettings, deal: &Deal, blanks: Blanks) -> Vec<(String, Value)> {
    let mut items = vec![(settings.field_deal_name.clone(), Value::Text(stored_text(&deal.name)))];
    let zero = (blanks == Blanks::Written).then(|| Value::Number(0.into()));
    let amount = deal.amount.as_ref().and_then(Value::amount).or(zero);
    items.extend(amount.map(|amount| (settings.field_amount.clone(), amount)));
    let fields = deal.fields.iter().map(|(field, text)| (field.clone(), stored_text(text)));
    let fields = fields.filter(|(_, text)| blanks == Blanks::Written || !text.is_empty());
    items.extend(fields.map(|(field, text)| (field, Value::Text(text))));
    items
}

fn append(form: &mut form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Text(text) => {
            form.append_pair(name, text);
        }
        Value::Number(number) => {
            form.append_pair(name, &number.to_string());
        }
        Value::Fields(fields) => {
            for (field, value) in fields {
                append(form, &format!("{name}[{field}]"), value);
            }
        }
    }
}

/// Filters and replies call a field by its bare number.
pub(super) fn column(field: &str) -> &str {
    field.strip_prefix("field_").unwrap_or(field)
}

/// The order is part of the contract: the credentials, the action, the entity, then the parameters.
impl Serialize for Call<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            key: &'a str,
            username: &'a str,
            password: &'a str,
            action: &'a str,
            entity_id: u64,
            #[serde(flatten)]
            parameters: Parameters<'a>,
        }
        Envelope {
            key: self.settings.key.expose_secret(),
            username: &self.settings.username,
            password: self.settings.password.expose_secret(),
            action: self.action,
            entity_id: self.entity_id,
            parameters: Parameters(&self.parameters),
        }
        .serialize(serializer)
    }
}

struct Parameters<'a>(&'a [(&'static str, Value)]);

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Fields(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}
