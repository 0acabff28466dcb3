//! The Inngest functions of prometei-flow: what should happen to a deal.
//!
//! One file is one function: its event, its steps, its result. What a function needs from the world it takes
//! through [`ports`]. To add a function, write one like [`CreateCrmDeal`] and name it in [`endpoint`].

mod create_crm_deal;
mod handle_amocrm_webhook;
pub mod ports;
mod reconcile_leads;
pub mod webhook;

use inngest::{BuildError, Client, Endpoint};

pub use create_crm_deal::{CreateCrmDeal, CreateDeal};
pub use handle_amocrm_webhook::{HandleAmoCrmWebhook, Processed, ProcessedLead, WebhookData};
pub use reconcile_leads::{Look, ReconcileLeads, ReconcileNow, Reconciled};

/// The app's id at Inngest. Runs under way are lost when it changes.
pub const APP_ID: &str = "prometei-flow";

/// The endpoint that serves all functions; reconciliation only where it is given.
pub fn endpoint<A, E, F, L>(
    client: Client,
    amocrm: A,
    erp: E,
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
    let mut builder = Endpoint::builder(APP_ID, client)
        .app_version(env!("CARGO_PKG_VERSION"))
        .framework("axum")
        .function_with_on_failure(CreateCrmDeal { erp: erp.clone() })
        .function_with_on_failure(HandleAmoCrmWebhook { amocrm, erp, filter, clock });
    if let Some(reconcile) = reconcile {
        builder = builder.function(reconcile);
    }
    builder.build()
}
