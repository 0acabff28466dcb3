//! What makes two deals the same one, and the lock by which runs of one deal wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use functions::CreateDeal;
use functions::ports::{Deal, DealKey, ResentEvent};
use functions::webhook::AmoCrmWebhook;
use inngest::EventData as _;
use serde_json::json;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::erp::stored_text;

/// When two deals are the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dedupe {
    /// One record for each lead, forever.
    Lead,
    /// One record for each event.
    Event,
}

/// A deal as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// The row's key.
    pub(super) key: String,
    /// The amoCRM lead, if it comes from one.
    pub(super) lead_id: Option<u64>,
    /// The deal as a person would look for it.
    pub(super) name: String,
    /// The options by which the commands of `deals` know it.
    pub(super) options: String,
    /// The event by which it can be sent again, where no webhook has left one.
    pub(super) event: ResentEvent,
    /// What is sent. With one record per event it carries no marker: the marker is one per lead.
    pub(super) deal: Deal,
    /// What its record is given, JSON: it is on the disk before it is sent.
    pub(super) values: Option<String>,
}

impl Entry {
    pub(super) fn of(deal: &Deal, dedupe: Dedupe) -> Self {
        let (key, lead_id) = identity(&deal.key, dedupe);
        let (mut sent, options) = (deal.clone(), options(&deal.key, dedupe));
        if lead_id.is_some() && dedupe == Dedupe::Event {
            sent.key = DealKey::Run(deal.run_id.clone());
        }
        Self {
            key,
            lead_id,
            name: describe(deal),
            options,
            event: event(deal),
            deal: sent,
            values: None,
        }
    }
}

/// The key of the row of a deal, and its lead.
pub(super) fn identity(deal: &DealKey, dedupe: Dedupe) -> (String, Option<u64>) {
    match deal {
        DealKey::Lead { lead_id, delivery_id, .. } => {
            (key_of_lead(*lead_id, delivery_id, dedupe), Some(*lead_id))
        }
        DealKey::Run(run_id) => (key_of_run(run_id), None),
    }
}

/// The key of the deal of a lead that the delivery `delivery_id` reported. It does not name the account: one database serves
/// one account, and webhooks do not always name it.
pub(crate) fn key_of_lead(lead_id: u64, delivery_id: &str, dedupe: Dedupe) -> String {
    match dedupe {
        Dedupe::Lead => format!("lead:{lead_id}"),
        Dedupe::Event => format!("lead:{lead_id}:event:{delivery_id}"),
    }
}

/// The key of the deal of a `crm/create-deal` event, by its first run.
pub(crate) fn key_of_run(run_id: &str) -> String {
    format!("run:{run_id}")
}

/// The event of a deal that begins with its run. Its first run, or its first delivery, makes it the same deal.
fn event(deal: &Deal) -> ResentEvent {
    match &deal.key {
        DealKey::Run(first) => {
            let data = json!(CreateDeal {
                deal_name: Some(deal.name.clone()),
                amount: deal.amount.clone(),
                entity_id: deal.entity_id,
                fields: deal
                    .fields
                    .iter()
                    .map(|(field, text)| (field.clone(), json!(text)))
                    .collect(),
                first_run_id: Some(first.clone()),
            });
            ResentEvent { name: CreateDeal::NAME, data }
        }
        DealKey::Lead { account_id, lead_id, delivery_id } => {
            let data =
                json!({ "leadId": lead_id, "accountId": account_id, "deliveryId": delivery_id });
            ResentEvent { name: AmoCrmWebhook::EVENT_NAME, data }
        }
    }
}

fn options(deal: &DealKey, dedupe: Dedupe) -> String {
    match (deal, dedupe) {
        (DealKey::Lead { lead_id, .. }, Dedupe::Lead) => format!("--lead {lead_id}"),
        (DealKey::Lead { lead_id, delivery_id, .. }, Dedupe::Event) => {
            format!("--lead {lead_id} --event {delivery_id}")
        }
        (DealKey::Run(run_id), _) => format!("--run {run_id}"),
    }
}

/// The deal as a person would look for it.
pub(super) fn describe(deal: &Deal) -> String {
    const LONGEST_NAME: usize = 80;
    let name: String = stored_text(&deal.name).chars().take(LONGEST_NAME).collect();
    match &deal.key {
        DealKey::Lead { lead_id, .. } => format!("deal \"{name}\" (amoCRM lead {lead_id})"),
        DealKey::Run(run) => format!("deal \"{name}\" (run {run})"),
    }
}

/// A lock for each deal, within this process: the second run of a lead waits for the first, and then finds the record
/// instead of a claim that is held.
#[derive(Default)]
pub(super) struct KeyedLock(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl KeyedLock {
    /// Waits until nothing else in this process works on `key`.
    pub(super) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            match locks.get(key).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::default();
                    locks.insert(key.to_owned(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use functions::ports::{Deal, DealKey};
    use serde_json::json;

    use super::{Dedupe, Entry, KeyedLock};

    fn deal(key: DealKey) -> Deal {
        Deal {
            key,
            run_id: "R1".to_owned(),
            name: "A".to_owned(),
            amount: None,
            entity_id: None,
            fields: BTreeMap::new(),
            reports: 0,
        }
    }

    fn lead(account_id: Option<u64>) -> Deal {
        deal(DealKey::Lead { account_id, lead_id: 7, delivery_id: "E1".to_owned() })
    }

    #[test]
    fn a_lead_is_one_deal_forever_or_one_for_each_event() {
        for account_id in [None, Some(1), Some(2)] {
            let entry = Entry::of(&lead(account_id), Dedupe::Lead);
            assert_eq!((entry.key.as_str(), &entry.deal), ("lead:7", &lead(account_id)));
            assert_eq!(entry.options, "--lead 7");
        }
        let entry = Entry::of(&lead(None), Dedupe::Event);
        assert_eq!((entry.key.as_str(), entry.lead_id), ("lead:7:event:E1", Some(7)));
        assert_eq!(entry.deal.key, DealKey::Run("R1".to_owned()), "no marker is sent");
        assert_eq!(entry.name, "deal \"A\" (amoCRM lead 7)", "a person looks for the lead");
        assert_eq!(entry.options, "--lead 7 --event E1");
    }

    #[test]
    fn a_deal_without_a_lead_is_sent_again_with_all_that_it_had() {
        let mut run = deal(DealKey::Run("R1".to_owned()));
        run.fields = [("field_1060".to_owned(), "x".to_owned())].into();
        let data = Entry::of(&run, Dedupe::Lead).event.data;
        let fields = json!({ "field_1060": "x" });
        assert_eq!(data, json!({ "dealName": "A", "fields": fields, "firstRunId": "R1" }));
    }

    #[test]
    fn a_deal_without_a_lead_is_its_run() {
        let run = deal(DealKey::Run("R1".to_owned()));
        for dedupe in [Dedupe::Lead, Dedupe::Event] {
            let entry = Entry::of(&run, dedupe);
            assert_eq!((entry.key.as_str(), entry.options.as_str()), ("run:R1", "--run R1"));
        }
    }

    #[tokio::test]
    async fn the_same_deal_waits_and_another_one_does_not() {
        let locks = KeyedLock::default();
        let first = locks.lock("lead:1").await;
        locks.lock("lead:2").await;
        let second = locks.lock("lead:1");
        tokio::pin!(second);
        assert!(futures_pending(second.as_mut()).await);
        drop(first);
        second.await;
        locks.lock("lead:3").await;
        assert_eq!(locks.0.lock().unwrap().len(), 1, "what is not held is forgotten");
    }

    async fn futures_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        tokio::select! {
            biased;
            _ = future => false,
            () = std::future::ready(()) => true,
        }
    }
}
