//! The ERP: the login, the entity and its fields, the rights, and the marker field.

use super::{Finding, mapped};
use crate::erp::{self, EntityFields, ErpClient, ErpError, ErpSettings, Field, MarkerLookup};
use crate::trouble::Trouble;

/// No lead has this id. Looking it up shows whether the ERP applies the filter.
const NO_LEAD: u64 = 9_000_000_000_000_000_001;

const LOGIN: &str = "erp login";
const FIELDS: &str = "erp fields";
const RIGHTS: &str = "erp rights";
const MARKER: &str = "erp marker field";

const FIELDS_BY_HAND: &str = "look in the ERP that the fields of CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT and \
                              CRM_FIELD_EXTERNAL_ID belong to the entity of CRM_ENTITY_ID";
const TEXT_MARKER: &str = "add an Input Field («Поле ввода») with Unique Field: Yes («Уникальное поле»: «Да») to the entity, \
                           and set CRM_FIELD_EXTERNAL_ID to it";

pub(super) fn missing() -> Finding {
    let Trouble { problem, remedy } = erp::missing();
    Finding::warning(LOGIN, problem, remedy)
}

/// `updates`: records are changed as well (`CRM_ON_CHANGE=update`).
pub(super) async fn examine(erp: &ErpClient, updates: bool) -> Vec<Finding> {
    // One after the other: the ERP logs the user in anew for each call, and is slow at it.
    if let Err(error) = erp.logs_in().await {
        return vec![failed(LOGIN, &error)];
    }
    let settings = erp.settings();
    let mut findings = vec![Finding::ok(LOGIN, "the ERP accepts the key and the login")];
    let fields = match erp.entity_fields().await {
        Ok(fields) => fields,
        Err(ErpError::Refused { message, .. }) if message.starts_with("Entity #") => {
            let fix = "set CRM_ENTITY_ID to the number of the entity: it follows path= in the address of its list";
            findings.push(Finding::error(FIELDS, message, fix));
            return findings;
        }
        Err(error) => {
            let message = format!("the ERP does not list its fields: {error}");
            findings.push(Finding::warning(FIELDS, message, FIELDS_BY_HAND));
            return findings_of_rights(erp, updates, findings, None).await;
        }
    };
    match &fields {
        Some(fields) => {
            findings.extend(judge(fields, settings));
            findings.extend(mapped::judge(fields, settings));
        }
        None => {
            let message = "the ERP's list of fields cannot be read";
            findings.push(Finding::warning(FIELDS, message, FIELDS_BY_HAND));
        }
    }
    findings_of_rights(erp, updates, findings, fields).await
}

async fn findings_of_rights(
    erp: &ErpClient,
    updates: bool,
    mut findings: Vec<Finding>,
    fields: Option<EntityFields>,
) -> Vec<Finding> {
    let entity = erp.settings().entity_id;
    let create = erp.may_create(entity).await;
    let view = erp.may_view().await;
    let update = if updates { erp.may_update().await } else { Ok(()) };
    let rights = [&create, &view, &update];
    if rights.iter().all(|right| right.is_ok()) {
        let message = format!("the user may do with records of entity {entity} what is needed");
        findings.push(Finding::ok(RIGHTS, message));
    }
    findings.extend(rights.iter().filter_map(|right| Some(failed(RIGHTS, right.as_ref().err()?))));
    if create.is_ok() && erp.is_sub_entity().await == Ok(true) {
        findings.push(Finding::error(
            FIELDS,
            format!(
                "entity {entity} is a sub-entity: the ERP wants a record of its parent entity, and refuses every deal"
            ),
            "set CRM_ENTITY_ID to an entity of the top level",
        ));
    }
    findings.push(marker(erp, fields.as_ref(), view.is_ok()).await);
    findings
}

/// What is wrong with the fields that deals are written into, the marker excepted; or that nothing is.
fn judge(fields: &EntityFields, settings: &ErpSettings) -> Vec<Finding> {
    let ErpSettings { entity_id, field_deal_name: name, field_amount: amount, .. } = settings;
    let mut filled: Vec<&str> =
        settings.fields().chain(settings.field_external_id.as_deref()).collect();
    let unknown: Vec<_> = filled.iter().copied().filter(|field| !fields.has(field)).collect();
    let mut findings = Vec::new();
    if !unknown.is_empty() {
        findings.push(Finding::error(
            FIELDS,
            format!("entity {entity_id} has no {}", unknown.join(", ")),
            "correct CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT or CRM_FIELD_EXTERNAL_ID",
        ));
    }
    if let Some(field) = fields.get(name).filter(|field| !is_text(field)) {
        findings.push(Finding::error(
            FIELDS,
            format!("{name} holds the deal's name, and is no text: {}", field.kind),
            "set CRM_FIELD_DEAL_NAME to an Input Field («Поле ввода»)",
        ));
    }
    if let Some(field) = fields.get(amount).filter(|field| !is_number(field)) {
        findings.push(Finding::error(
            FIELDS,
            format!("{amount} holds the deal's amount, and is no number: {}", field.kind),
            "set CRM_FIELD_AMOUNT to an Input Numeric Field («Числовое поле»)",
        ));
    }
    for field in settings.fields() {
        if fields.get(field).is_some_and(|known| known.is_unique) {
            findings.push(Finding::error(
                FIELDS,
                format!(
                    "{field} is unique: the ERP refuses the second deal with the same value in it"
                ),
                "set its Unique Field to No («Уникальное поле»: «Нет») in the ERP",
            ));
        }
    }
    filled.extend(settings.text_fields.union(&settings.user_fields).map(String::as_str));
    let required: Vec<_> =
        fields.required().filter(|field| !filled.contains(&field.as_str())).collect();
    if !required.is_empty() {
        findings.push(Finding::warning(
            FIELDS,
            format!("the ERP requires {}, which stay empty", required.join(", ")),
            "the ERP's form asks for them when a record is edited; fill them then, or clear Is Required? («Обязательное \
             поле?»)",
        ));
    }
    if findings.is_empty() {
        let message = format!("entity {entity_id} has all of them, of the right types");
        findings.push(Finding::ok(FIELDS, message));
    }
    findings
}

/// The types of text that show a name as it is.
fn is_text(field: &Field) -> bool {
    ["fieldtype_input", "fieldtype_textarea", "fieldtype_textarea_wysiwyg"]
        .contains(&field.kind.as_str())
}

fn is_number(field: &Field) -> bool {
    ["fieldtype_input_numeric", "fieldtype_input_numeric_comments"].contains(&field.kind.as_str())
}

async fn marker(erp: &ErpClient, fields: Option<&EntityFields>, may_view: bool) -> Finding {
    let Some(name) = &erp.settings().field_external_id else {
        let message = "none is configured: when the ERP does not answer an insert, a person must look whether the record \
                       exists";
        return Finding::warning(MARKER, message, TEXT_MARKER);
    };
    let field = fields.and_then(|fields| fields.get(name));
    if let Some(found) = field.and_then(|field| unfit(name, field)) {
        return found;
    }
    if !may_view {
        let message = format!("records cannot be looked up by {name} without the right View");
        return Finding::error(MARKER, message, "see the finding about the rights");
    }
    match erp.find_by_marker(NO_LEAD, None).await {
        Ok(MarkerLookup::Absent) if field.is_some_and(is_number) => Finding::warning(
            MARKER,
            format!(
                "{name} is a number, which the ERP shows formatted: records can be looked up all the same"
            ),
            TEXT_MARKER,
        ),
        Ok(MarkerLookup::Absent) => {
            Finding::ok(MARKER, format!("records can be looked up by {name}"))
        }
        Ok(MarkerLookup::Found(id)) => Finding::warning(
            MARKER,
            format!("record {id} has an id in {name} that no lead has"),
            "look at that record in the ERP",
        ),
        Ok(MarkerLookup::Untrusted(reason)) => Finding::error(
            MARKER,
            reason,
            "correct CRM_FIELD_EXTERNAL_ID; without a look-up that works, unclear inserts stop and wait for a person",
        ),
        Err(error) => failed(MARKER, &error),
    }
}

/// Why no record can be looked up by the field, or the ERP keeps no second one out.
fn unfit(name: &str, field: &Field) -> Option<Finding> {
    let message = match field {
        Field { kind, .. } if kind != "fieldtype_input" && !is_number(field) => {
            format!("{name} is no text: {kind}")
        }
        // The decimals that a look-up understands, and nothing between thousands.
        Field { number_format, .. } if is_number(field) && !is_readable(number_format) => format!(
            "{name} is a number in the format {number_format} (Number Format, «Формат отображения числа»): no look-up \
             can trust what the ERP shows"
        ),
        Field { is_unique: false, .. } => {
            let message = format!(
                "{name} is not unique: the ERP would take a second record of the same lead"
            );
            let fix = "set its Unique Field to Yes («Уникальное поле»: «Да») in the ERP";
            return Some(Finding::error(MARKER, message, fix));
        }
        Field { .. } => return None,
    };
    Some(Finding::error(MARKER, message, TEXT_MARKER))
}

/// Whether a whole number is shown as plain digits, or with at most two decimals.
fn is_readable(number_format: &str) -> bool {
    let mut parts = number_format.split('/');
    let decimals = parts.next().unwrap_or_default();
    let thousands = parts.nth(1).unwrap_or_default();
    ["", "0", "1", "2"].contains(&decimals) && ["", "*"].contains(&thousands)
}

/// A check that the ERP did not let happen.
fn failed(check: &'static str, error: &ErpError) -> Finding {
    Finding::of(check, error.trouble())
}
