//! The ERP, and where in it a deal goes.

use std::time::Duration;

use ::inngest::Mode;
use jiff::SignedDuration;

use super::fields::{self, field};
use super::reader::{Reader, id, web_url};
use crate::amocrm::{Mapping, Source};
use crate::deals::{Dedupe, OnChange, Rules, Schedule};
use crate::erp::{Body, ErpSettings, TIMEOUT};
use crate::net::stays_here;

const GROUP: [&str; 4] = ["CRM_API_URL", "CRM_API_KEY", "CRM_API_USERNAME", "CRM_API_PASSWORD"];

pub(super) fn read(reader: &mut Reader<'_>, mode: Mode) -> (Option<ErpSettings>, Rules, Mapping) {
    let body = [("json", Body::Json), ("form", Body::Form)];
    let body = reader.parsed("CRM_BODY", |text| one_of(text, &body)).unwrap_or(Body::Json);
    let dedupe = [("lead", Dedupe::Lead), ("event", Dedupe::Event)];
    let dedupe = reader.parsed("CRM_DEDUPE", |text| one_of(text, &dedupe)).unwrap_or(Dedupe::Lead);
    let resend_after = reader.parsed("DEALS_RESEND_AFTER", wait);
    let schedule =
        resend_after.map_or_else(Schedule::default, |resend_after| Schedule { resend_after });
    let on_change =
        [("report", OnChange::Report), ("update", OnChange::Update), ("ignore", OnChange::Ignore)];
    let on_change = reader.parsed("CRM_ON_CHANGE", |text| one_of(text, &on_change));
    let rules = Rules { dedupe, schedule, on_change: on_change.unwrap_or_default() };
    let entity_id = reader.parsed("CRM_ENTITY_ID", id).unwrap_or(70);
    let name = reader.parsed("CRM_FIELD_DEAL_NAME", field);
    let field_deal_name = name.unwrap_or_else(|| "field_1039".to_owned());
    let amount = reader.parsed("CRM_FIELD_AMOUNT", field);
    let field_amount = amount.unwrap_or_else(|| "field_1040".to_owned());
    let field_external_id = reader.parsed("CRM_FIELD_EXTERNAL_ID", field);
    if field_amount == field_deal_name {
        reader.error("CRM_FIELD_AMOUNT", "is the field of the deal's name too; each needs its own");
    }
    if field_external_id.iter().any(|field| *field == field_deal_name || *field == field_amount) {
        reader.error(
            "CRM_FIELD_EXTERNAL_ID",
            "is used for something else; it needs a field of its own",
        );
    }
    let marker = field_external_id.as_deref().map(|field| (field, "CRM_FIELD_EXTERNAL_ID"));
    let taken = [
        Some((field_deal_name.as_str(), "CRM_FIELD_DEAL_NAME")),
        Some((field_amount.as_str(), "CRM_FIELD_AMOUNT")),
        marker,
    ];
    let mapping = fields::read(reader, &Vec::from_iter(taken.into_iter().flatten()));
    let created_by = reader.parsed("CRM_CREATED_BY", id);

    let api_url = reader.parsed("CRM_API_URL", web_url);
    let key = reader.secret("CRM_API_KEY");
    let username = reader.text("CRM_API_USERNAME");
    let password = reader.secret("CRM_API_PASSWORD");
    let set = GROUP.into_iter().find(|variable| reader.is_set(variable));
    let why = match (set, mode) {
        (None, Mode::Dev) => return (None, rules, mapping),
        (None, Mode::Cloud) => {
            "deals have nowhere to go: set it, or INNGEST_DEV=1 for development".into()
        }
        (Some(set), _) => {
            format!("{set} is, and they belong together: set all of {}, or none", GROUP.join(", "))
        }
    };
    if api_url.as_ref().is_some_and(|url| url.scheme() == "http" && !stays_here(url)) {
        reader.warn("CRM_API_URL", "is not encrypted; the password can be read on the way");
    }
    let api_url = reader.required("CRM_API_URL", api_url, &why);
    let key = reader.required("CRM_API_KEY", key, &why);
    let username = reader.required("CRM_API_USERNAME", username, &why);
    let password = reader.required("CRM_API_PASSWORD", password, &why);
    let settings = api_url.zip(key).zip(username).zip(password).map(
        |(((api_url, key), username), password)| ErpSettings {
            api_url,
            key,
            username,
            password,
            body,
            entity_id,
            field_deal_name,
            field_amount,
            field_external_id,
            created_by,
            text_fields: mapping.erp_fields(|source| source != Source::Responsible),
            user_fields: mapping.erp_fields(|source| source == Source::Responsible),
            timeout: TIMEOUT,
        },
    );
    (settings, rules, mapping)
}

fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let choice = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    choice.ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is not known; write {}", names.join(" or "))
    })
}

/// A time from a second to a day.
fn wait(text: &str) -> Result<Duration, String> {
    let wait = text.parse::<SignedDuration>().ok().and_then(|wait| Duration::try_from(wait).ok());
    let wait = wait
        .filter(|wait| (Duration::from_secs(1)..=Duration::from_secs(24 * 3600)).contains(wait));
    wait.ok_or_else(|| format!("{text:?} is no time from 1s to 24h; write it as 5s, 15m or 2h"))
}
