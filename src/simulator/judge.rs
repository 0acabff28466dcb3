//! What must be true at the end of a day.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::FakeErp;

use super::process::{name_of_deal, name_of_lead};
use super::seam::by_hand;
use super::world::World;
use crate::db::Db;
use crate::deals;

/// The ids of the records with this name.
pub(super) fn records_of(erp: &FakeErp, name: &str) -> Vec<String> {
    let named =
        |row: &sandbox::ErpRow| row.fields.get("field_1039").is_some_and(|field| field == name);
    erp.rows().iter().filter(|row| named(row)).map(|row| row.id.to_string()).collect()
}

/// The records of which the ledger knows.
pub(super) async fn known_records(db: &Db) -> BTreeSet<String> {
    done(db).await.into_iter().map(|(_, record)| record).collect()
}

/// The deals that are done: key and record.
pub(super) async fn done(db: &Db) -> Vec<(String, String)> {
    let query =
        "SELECT deal_key, COALESCE(erp_id, '') FROM deals WHERE state = 'done' ORDER BY deal_key";
    db.fetch(sqlx::query_as(query)).await.unwrap()
}

impl World {
    /// Judges the world at its end.
    pub(super) fn judge(&self) {
        let db = self.state().db.clone().unwrap();
        for deal in by_hand(deals::unfinished(&db, 500)).unwrap() {
            self.wrong(format!("{deal:?} is not done"));
        }
        let done = by_hand(done(&db));
        let mut of_lead: BTreeMap<u64, usize> = BTreeMap::new();
        for (key, _) in &done {
            if let Some(lead) = key.strip_prefix("lead:") {
                let lead = lead.split(':').next().unwrap_or_default();
                *of_lead.entry(lead.parse().unwrap()).or_default() += 1;
            }
        }
        let mut names = BTreeSet::new();
        let leads = self.state().leads.clone();
        for (lead, facts) in &leads {
            let name = name_of_lead(*lead);
            let records = records_of(&self.erp, &name).len();
            let expected = if self.settings.by_event {
                let deals = of_lead.get(lead).copied().unwrap_or_default();
                if deals < facts.accepted.max(1) || deals > facts.sent.max(1) {
                    self.wrong(format!(
                        "lead {lead}: {deals} deals, of {} webhooks accepted and {} sent",
                        facts.accepted, facts.sent
                    ));
                }
                deals
            } else {
                1
            };
            if records != expected {
                self.wrong(format!("lead {lead}: {records} records instead of {expected}"));
            }
            names.insert(name);
        }
        let created = self.state().created.clone();
        for (deal, may_be_lost) in created {
            let name = name_of_deal(deal);
            let records = records_of(&self.erp, &name).len();
            if records > 1 || (records == 0 && !may_be_lost) {
                self.wrong(format!("deal {deal}: {records} records instead of one"));
            }
            names.insert(name);
        }
        for row in self.erp.rows() {
            let name = row.fields["field_1039"].as_str().unwrap_or_default().to_owned();
            if !names.contains(&name) {
                self.wrong(format!("record {} belongs to no lead: {name}", row.id));
            }
        }
        let rows: BTreeSet<_> = self.erp.rows().iter().map(|row| row.id.to_string()).collect();
        let mut seen = BTreeSet::new();
        for (key, record) in done {
            if !rows.contains(&record) {
                self.wrong(format!(
                    "{key} is done with a record that the ERP does not have: {record}"
                ));
            }
            if !seen.insert(record.clone()) {
                self.wrong(format!("{key} is done with the record of another deal: {record}"));
            }
        }
        // A token that was revoked is as dead as one that was spent. Each is offered once, which is how that is found out.
        let twice = self.amocrm.refresh_tokens_spent_twice();
        let state = self.state();
        let revoked = state.happened.get("the integration is switched off").copied();
        // That one is dead must be stored, or it is offered again.
        let stored =
            ["commit failed", "commit without its answer", "statement refused", "database silent"];
        let unstored: usize = stored.iter().filter_map(|kind| state.happened.get(kind)).sum();
        let once = state.unclear_exchanges + revoked.unwrap_or_default() + unstored;
        drop(state);
        if twice > once {
            self.wrong(format!("dead refresh tokens were offered {twice} times, {once} were dead"));
        }
    }
}
