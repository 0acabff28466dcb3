//! The Inngest functions of prometei-flow: what should happen to a deal.
//!
//! One file or folder is one function: its event, its steps, its result. What a function needs from outside it takes
//! through [`ports`]. `docs/adding-a-function.md` adds one, step by step.

pub mod amount;
#[cfg(test)]
mod contract;
mod create_crm_deal;
mod handle_amocrm_webhook;
pub mod ports;
mod reconcile_leads;
pub mod webhook;

use std::collections::BTreeSet;

use inngest::{App, BuildError, Client, Endpoint};

pub use create_crm_deal::{CreateCrmDeal, CreateDeal};
pub use handle_amocrm_webhook::{HandleAmoCrmWebhook, Processed, ProcessedLead, WebhookData};
pub use reconcile_leads::{RECONCILE_NOW, ReconcileLeads, Reconciled};

/// The app's id at Inngest. Runs under way are lost when it changes.
pub const APP_ID: &str = "prometei-flow";

/// The endpoint that serves all functions; reconciliation only where it is given. `fields` are those of the ERP that a
/// `crm/create-deal` event may name.
pub fn endpoint<A, E, F, L>(
    client: Client,
    amocrm: A,
    erp: E,
    fields: BTreeSet<String>,
    filter: webhook::LeadFilter,
    reconcile: Option<ReconcileLeads<F, L>>,
) -> Result<Endpoint, BuildError>
where
    A: ports::AmoCrm,
    E: ports::Erp + Clone,
    F: ports::LeadFeed,
    L: ports::ReconcileLog,
{
    let clock = client.clock().clone();
    let app = App::new(APP_ID, client)
        .version(env!("CARGO_PKG_VERSION"))
        .framework("axum")
        .function(CreateCrmDeal { erp: erp.clone(), fields })
        .function(HandleAmoCrmWebhook { amocrm, erp, filter, clock });
    match reconcile {
        Some(reconcile) => app.function(reconcile).build(),
        None => app.build(),
    }
}

#[cfg(doctest)]
#[doc = include_str!("../../docs/adding-a-function.md")]
struct AddingAFunction;
