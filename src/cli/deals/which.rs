use clap::Args;

use crate::deals::Which;

/// Which deal is meant.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// The amoCRM lead
    #[arg(long, conflicts_with = "run")]
    lead: Option<u64>,
    /// With CRM_DEDUPE=event: the event that reported the lead, as the list shows it
    #[arg(long, requires = "lead")]
    event: Option<String>,
    /// The first run of a `crm/create-deal` event, as the list shows it
    #[arg(long)]
    run: Option<String>,
}

impl Choice {
    /// `None`: no deal is named.
    pub(super) fn which(&self) -> Option<Which> {
        match (self.lead, &self.run) {
            (Some(lead), _) => Some(Which::lead(lead, self.event.as_deref())),
            (None, Some(run)) => Some(Which::run(run)),
            (None, None) => None,
        }
    }
}
