//! A deal whose record differs from its lead, as a person reads it.

use functions::ports::{Recorded, WaitsFor};

use super::item::{Item, options};
use super::next::{Duty, Next, name};
use crate::deals::{Difference, DifferingDeal};

impl From<DifferingDeal> for Item {
    fn from(deal: DifferingDeal) -> Self {
        // A failure comes first: what was found before it may not be so any more.
        let found = deal.difference.as_ref().filter(|_| deal.failure.is_none());
        let (state, next) = (state(found), next(&deal, found));
        let needs_person = found.is_some() || deal.waits_for == Some(WaitsFor::Person);
        let discreet = found.and_then(|difference| discreet(&deal, difference));
        let reason = found.map(|difference| reason(&deal, difference)).or(deal.failure);
        Self {
            state,
            key: deal.key,
            lead: deal.lead_id,
            since: format!("{:.0}", deal.since),
            run: None,
            event: None,
            needs_person,
            waits_for: deal.waits_for.map(name),
            reason,
            discreet,
            next,
        }
    }
}

fn state(difference: Option<&Difference>) -> &'static str {
    match difference {
        Some(Difference::Values { .. }) => "changed",
        Some(Difference::Deleted) => "deleted",
        Some(Difference::NotShown) => "not shown",
        Some(Difference::RecordGone) => "record gone",
        Some(Difference::Merged { .. }) => "merged",
        None => "not compared",
    }
}

fn reason(deal: &DifferingDeal, difference: &Difference) -> String {
    let DifferingDeal { record, .. } = deal;
    match difference {
        Difference::Values { amocrm } => {
            let Some(recorded) = deal.recorded.as_ref().filter(|_| !deal.is_updating) else {
                return format!("what record {record} holds is not known");
            };
            let (had, has) = (recorded.shown(), amocrm.shown());
            let parts = recorded.differs_from(amocrm).into_iter();
            let parts: Vec<_> = parts.map(|what| part(&what, record, &had, &has)).collect();
            parts.join("; ")
        }
        Difference::Deleted => format!("the lead was deleted in amoCRM, record {record} stays"),
        Difference::NotShown => {
            format!("amoCRM does not show the lead any more, record {record} stays")
        }
        Difference::RecordGone => format!("record {record} was deleted in the ERP"),
        Difference::Merged { lead, record: other } => format!(
            "the lead became a part of lead {lead} in amoCRM: one deal has the records {record} and {other}"
        ),
    }
}

/// What differs, without the values.
fn discreet(deal: &DifferingDeal, difference: &Difference) -> Option<String> {
    let Difference::Values { amocrm } = difference else { return None };
    let recorded = deal.recorded.as_ref().filter(|_| !deal.is_updating)?;
    let what = recorded.differs_from(amocrm).join(", ");
    Some(format!("record {} was given another {what} than amoCRM has", deal.record))
}

fn part(what: &str, record: &str, had: &Recorded, has: &Recorded) -> String {
    let amount = |of: &Recorded| of.amount.clone().unwrap_or_else(|| "no amount".to_owned());
    match what {
        "name" => {
            format!("record {record} was given \"{}\", amoCRM has \"{}\"", had.name, has.name)
        }
        "amount" => {
            format!("record {record} was given {}, amoCRM has {}", amount(had), amount(has))
        }
        // Other fields may hold what is personal.
        field => format!("record {record} was given another {field} than amoCRM has"),
    }
}

fn next(deal: &DifferingDeal, difference: Option<&Difference>) -> Next {
    let duty = match (difference, deal.waits_for) {
        (Some(Difference::Merged { .. }), _) => Duty::KeepOne,
        (Some(_), _) => Duty::CorrectRecord,
        (None, Some(WaitsFor::Person)) => Duty::MendComparison,
        (None, Some(waits_for)) => return Next::Waits(waits_for, deal.due_at),
        (None, None) => return Next::Again(deal.due_at),
    };
    Next::Person(duty, options(deal.lead_id, &deal.key))
}
