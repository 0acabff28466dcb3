//! The ERP's fields in `CRM_FIELDS`.

use super::Finding;
use crate::erp::{EntityFields, ErpSettings};

const CHECK: &str = "erp CRM_FIELDS";

/// What is wrong with them; or that nothing is, where there are any.
pub(super) fn judge(fields: &EntityFields, settings: &ErpSettings) -> Vec<Finding> {
    let ErpSettings { entity_id, text_fields, user_fields, .. } = settings;
    let all: Vec<_> = text_fields.union(user_fields).map(String::as_str).collect();
    let unknown: Vec<_> = all.iter().copied().filter(|field| !fields.has(field)).collect();
    let mut findings = Vec::new();
    if !unknown.is_empty() {
        findings.push(Finding::error(
            CHECK,
            format!("entity {entity_id} has no {}", unknown.join(", ")),
            "correct CRM_FIELDS or CRM_ENTITY_ID: the ERP refuses a deal with a field that it does not have",
        ));
    }
    let known = all.iter().filter_map(|field| Some((*field, fields.get(field)?)));
    for (field, known) in known {
        let takes_users = known.kind.starts_with("fieldtype_users");
        let is_user = user_fields.contains(field);
        if known.is_unique {
            findings.push(Finding::error(
                CHECK,
                format!(
                    "{field} is unique: the ERP refuses the second deal with the same value in it"
                ),
                "set its Unique Field to No («Уникальное поле»: «Нет») in the ERP",
            ));
        }
        if is_user && !takes_users {
            findings.push(Finding::error(
                CHECK,
                format!("{field} gets a user, and is no field of users: {}", known.kind),
                "give `responsible` a field of the type Users («Пользователи»)",
            ));
        }
        if !is_user && (takes_users || CHOICES.contains(&known.kind.as_str())) {
            findings.push(Finding::warning(
                CHECK,
                format!("{field} gets a text, and takes only ids of its choices: {}", known.kind),
                "use an Input Field («Поле ввода»); only crm/create-deal can give it an id",
            ));
        }
    }
    if findings.is_empty() && !all.is_empty() {
        let message = format!("entity {entity_id} has all of them, of the right types");
        findings.push(Finding::ok(CHECK, message));
    }
    findings
}

const CHOICES: [&str; 7] = [
    "fieldtype_checkboxes",
    "fieldtype_dropdown",
    "fieldtype_dropdown_multilevel",
    "fieldtype_dropdown_multiple",
    "fieldtype_radioboxes",
    "fieldtype_stages",
    "fieldtype_tags",
];
