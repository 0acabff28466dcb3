//! More fields of the record than name and amount.

use std::collections::BTreeMap;

use super::reader::{Reader, id};
use crate::amocrm::{Mapping, Source};

/// Reads `CRM_FIELDS` and `CRM_USERS`. `taken` are the ERP's fields that have their use already, and the variables that
/// say so.
pub(super) fn read(reader: &mut Reader<'_>, taken: &[(&str, &str)]) -> Mapping {
    let mut mapping = Mapping::default();
    let mut uses: BTreeMap<String, String> = taken
        .iter()
        .map(|(field, variable)| ((*field).to_owned(), (*variable).to_owned()))
        .collect();
    for entry in entries(reader, "CRM_FIELDS") {
        let Some((source, erp_field)) = entry.split_once(':') else {
            let problem = format!("{entry:?} names no field; write source:field_1060");
            reader.error("CRM_FIELDS", problem);
            continue;
        };
        let (name, erp_field) = (source.trim(), erp_field.trim());
        let source = Source::named(name).map_err(|problem| reader.error("CRM_FIELDS", problem));
        let erp_field = field(erp_field).map_err(|problem| reader.error("CRM_FIELDS", problem));
        let (Ok(source), Ok(erp_field)) = (source, erp_field) else { continue };
        if let Some(use_) = uses.get(&erp_field) {
            let problem = format!("{name} and {use_} are both for {erp_field}; each needs its own");
            reader.error("CRM_FIELDS", problem);
            continue;
        }
        uses.insert(erp_field.clone(), name.to_owned());
        mapping.fields.push((source, erp_field));
    }
    for entry in entries(reader, "CRM_USERS") {
        let pair = entry.split_once(':').map(|(amocrm, erp)| (id(amocrm.trim()), id(erp.trim())));
        let Some((Ok(amocrm), Ok(erp))) = pair else {
            let problem =
                format!("{entry:?} is no pair of users; write amocrm-user:erp-user, as 504141:12");
            reader.error("CRM_USERS", problem);
            continue;
        };
        if mapping.users.insert(amocrm, erp).is_some_and(|other| other != erp) {
            reader.error("CRM_USERS", format!("names two users of the ERP for {amocrm}"));
        }
    }
    let responsible = mapping.fields.iter().any(|(source, _)| *source == Source::Responsible);
    match (responsible, reader.is_set("CRM_USERS")) {
        (true, false) => reader.error(
            "CRM_USERS",
            "is not set, and CRM_FIELDS has `responsible`; write amocrm-user:erp-user, as 504141:12",
        ),
        (false, true) => reader.warn("CRM_USERS", "is not used: CRM_FIELDS has no `responsible`"),
        (true, true) | (false, false) => {}
    }
    mapping
}

/// The entries of a comma-separated list.
fn entries(reader: &mut Reader<'_>, variable: &'static str) -> Vec<String> {
    let text = reader.text(variable).unwrap_or_default();
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(str::to_owned).collect()
}

/// A field of an entity.
pub(super) fn field(text: &str) -> Result<String, String> {
    let number = text.strip_prefix("field_").unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is no field; write field_ and its number, as field_1039"));
    }
    Ok(text.to_owned())
}
