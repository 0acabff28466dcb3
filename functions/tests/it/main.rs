//! The functions as Inngest runs them, over fakes of amoCRM and the ERP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod create_crm_deal;
mod fakes;
mod handle_amocrm_webhook;
mod reconcile_leads;
