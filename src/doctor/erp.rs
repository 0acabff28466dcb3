//! The ERP: the login, the entity and its fields, and the marker field.

use super::Finding;
use crate::erp::{ErpClient, ErpError, MarkerLookup};

/// No lead has this id. Looking it up shows whether the ERP applies the filter.
const NO_LEAD: u64 = 9_000_000_000_000_000_001;

pub(super) fn missing() -> Finding {
    Finding::warning(
        "erp login",
        "the ERP is not configured: runs fail",
        "set CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME and CRM_API_PASSWORD; `prometei-flow dev` brings a fake one",
    )
}

pub(super) async fn examine(erp: &ErpClient) -> Vec<Finding> {
    // One after the other: the ERP logs the user in anew for each call, and is slow at it.
    if let Err(error) = erp.probe().await {
        return vec![Finding::error("erp login", error.to_string(), remedy(&error))];
    }
    let entity = erp.settings().entity_id;
    vec![
        Finding::ok("erp login", format!("the login works, and entity {entity} can be read")),
        fields(erp).await,
        marker(erp).await,
    ]
}

async fn fields(erp: &ErpClient) -> Finding {
    let check = "erp fields";
    let entity = erp.settings().entity_id;
    let by_hand = "look in the ERP that the fields of CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT and \
                   CRM_FIELD_EXTERNAL_ID belong to the entity of CRM_ENTITY_ID";
    match erp.unknown_fields().await {
        Ok(Some(unknown)) if unknown.is_empty() => {
            Finding::ok(check, format!("entity {entity} has all of them"))
        }
        Ok(Some(unknown)) => Finding::error(
            check,
            format!("entity {entity} has no {}", unknown.join(", ")),
            "correct CRM_ENTITY_ID, CRM_FIELD_DEAL_NAME, CRM_FIELD_AMOUNT or CRM_FIELD_EXTERNAL_ID",
        ),
        Ok(None) => Finding::warning(check, "the ERP's list of fields cannot be read", by_hand),
        Err(error) => {
            let message = format!("the ERP does not list its fields: {error}");
            Finding::warning(check, message, by_hand)
        }
    }
}

async fn marker(erp: &ErpClient) -> Finding {
    let check = "erp marker field";
    let Some(field) = &erp.settings().field_external_id else {
        return Finding::warning(
            check,
            "none is configured: when the ERP does not answer an insert, a person must look whether the record exists",
            "add a unique text field for the lead's id to the entity, and set CRM_FIELD_EXTERNAL_ID to it",
        );
    };
    match erp.find_by_marker(NO_LEAD, None).await {
        Ok(MarkerLookup::Absent) => {
            Finding::ok(check, format!("records can be looked up by {field}"))
        }
        Ok(MarkerLookup::Found(id)) => Finding::warning(
            check,
            format!("record {id} has an id in {field} that no lead has"),
            "look at that record in the ERP",
        ),
        Ok(MarkerLookup::Untrusted(reason)) => Finding::error(
            check,
            reason,
            "correct CRM_FIELD_EXTERNAL_ID; without a look-up that works, unclear inserts stop and wait for a person",
        ),
        Err(error) => Finding::error(check, error.to_string(), remedy(&error)),
    }
}

fn remedy(error: &ErpError) -> &'static str {
    match error {
        ErpError::Refused { .. } => "correct CRM_API_URL, CRM_API_KEY, CRM_ENTITY_ID or CRM_BODY",
        ErpError::NoAccess { .. } => {
            "check CRM_API_KEY, CRM_API_USERNAME, CRM_API_PASSWORD, the user's rights and the ERP's list of allowed \
             addresses"
        }
        ErpError::Unavailable { .. } => {
            "check CRM_API_URL and the network. Rukovoditel 3.6 also answers an empty HTTP 500 to a wrong username or \
             password: check CRM_API_USERNAME and CRM_API_PASSWORD"
        }
    }
}
