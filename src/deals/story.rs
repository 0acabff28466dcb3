//! The story of a deal: what happened to it, and when. It stands in the row of the deal, a line for each.
//!
//! The statement that changes the row appends the line. So a line is there exactly when its change is, whatever crashes, and
//! it costs no statement and no round trip of its own. A line has words of ours and ids: no name, no amount, no text of a
//! system around us.

use jiff::Timestamp;

/// What happened to a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A webhook reported it: the event.
    Webhook,
    /// Reconciliation found it: the event.
    Found,
    /// An event that is not ours began it.
    Asked,
    /// Inngest has accepted an event: the event.
    Forwarded,
    /// Inngest refuses its event.
    RefusedByInngest,
    /// Inngest has lost what it was given.
    Lost,
    /// It goes to Inngest again: the event.
    Resent,
    /// It goes to Inngest to be compared with its record: the event.
    Looked,
    /// A run has claimed it: the run.
    Run,
    /// It is about to be sent to the ERP.
    Sending,
    /// The ERP has not acted on it, and it waits for that.
    NotTaken,
    /// The ERP has refused it, and it waits for that.
    Refused,
    /// The ERP may have created the record.
    InDoubt,
    /// It was not sent, and it waits for that.
    NotSent,
    /// The ERP has its record: the record.
    Recorded,
    /// It has taken over the record of a lead that has become a part of its own: the record.
    TookOver,
    /// A run has failed: what it waits for, and the run.
    Failed,
    /// It needs no record.
    NotNeeded,
    /// Its lead was changed.
    Changed,
    /// Its lead was reported as deleted.
    DeletionReported,
    /// amoCRM has deleted its lead.
    Deleted,
    /// amoCRM does not show its lead.
    NotShown,
    /// Its lead has become a part of another one: the lead.
    Merged,
    /// Its record is as its lead: the run that compared them.
    Same,
    /// Its record differs from its lead: the run.
    Differs,
    /// Its record is about to be updated: the run.
    Updating,
    /// Its record was updated.
    Updated,
    /// Its record was not updated.
    NotUpdated,
    /// Its record may have been updated.
    UpdateInDoubt,
    /// The ERP has the record no more.
    RecordGone,
    /// A person sends it again.
    Retried,
    /// A person wants no record of it, or leaves its record as it is.
    Dismissed,
    /// A person has found its record: the record.
    Resolved,
    /// A person has found that there is no record.
    Absent,
    /// What happened between is not kept.
    Gap,
}

/// Each as it is stored.
const STORED: &[(What, &str)] = &[
    (What::Webhook, "webhook"),
    (What::Found, "found"),
    (What::Asked, "asked"),
    (What::Forwarded, "forwarded"),
    (What::RefusedByInngest, "refused_by_inngest"),
    (What::Lost, "lost"),
    (What::Resent, "resent"),
    (What::Looked, "looked"),
    (What::Run, "run"),
    (What::Sending, "sending"),
    (What::NotTaken, "not_taken"),
    (What::Refused, "refused"),
    (What::InDoubt, "in_doubt"),
    (What::NotSent, "not_sent"),
    (What::Recorded, "recorded"),
    (What::TookOver, "took_over"),
    (What::Failed, "failed"),
    (What::NotNeeded, "not_needed"),
    (What::Changed, "changed"),
    (What::DeletionReported, "deletion_reported"),
    (What::Deleted, "deleted"),
    (What::NotShown, "not_shown"),
    (What::Merged, "merged"),
    (What::Same, "same"),
    (What::Differs, "differs"),
    (What::Updating, "updating"),
    (What::Updated, "updated"),
    (What::NotUpdated, "not_updated"),
    (What::UpdateInDoubt, "update_in_doubt"),
    (What::RecordGone, "record_gone"),
    (What::Retried, "retried"),
    (What::Dismissed, "dismissed"),
    (What::Resolved, "resolved"),
    (What::Absent, "absent"),
];

/// The line that stands where the middle was cut out.
pub(super) const GAP: &str = "...";

/// Stands for a word that there is not.
const NONE: &str = "-";

/// A line of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// When it happened.
    pub(crate) at: Timestamp,
    /// What happened.
    pub(crate) what: What,
    /// What it happened with, in the order that [`What`] gives.
    pub(crate) words: Vec<String>,
}

impl What {
    /// The line as it is stored, with the line's end. `at` is in milliseconds since 1970.
    pub(super) fn line(self, at: i64, words: &[&str]) -> String {
        let stored = STORED.iter().find(|(what, _)| *what == self).map_or(NONE, |(_, name)| name);
        let mut line = format!("{at} {stored}");
        for word in words {
            line.push(' ');
            line.push_str(if word.is_empty() { NONE } else { word });
        }
        // Ids come from outside, and a story is read by its spaces and lines.
        let mut line: String = line.chars().filter(|letter| !letter.is_control()).collect();
        line.push('\n');
        line
    }
}

/// The lines of a story, the oldest first. What a later version has written is left out.
pub(super) fn lines(story: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut stored = story.lines().peekable();
    while let Some(text) = stored.next() {
        if text == GAP {
            let at = lines.last().map_or(Timestamp::UNIX_EPOCH, |line| line.at);
            lines.push(Line { at, what: What::Gap, words: Vec::new() });
            // The lines on both sides were cut, too.
            stored.next();
        } else if stored.peek() != Some(&GAP) {
            lines.extend(line(text));
        }
    }
    lines
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split(' ');
    let at = Timestamp::from_millisecond(words.next()?.parse().ok()?).ok()?;
    let name = words.next()?;
    let (what, _) = STORED.iter().find(|(_, stored)| *stored == name)?;
    let words = words.map(|word| if word == NONE { String::new() } else { word.to_owned() });
    Some(Line { at, what: *what, words: words.collect() })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{GAP, Line, STORED, What, lines};

    #[test]
    fn what_is_written_is_read() {
        for (what, _) in STORED {
            let story = what.line(0, &["person", "01RUN"]) + &what.line(0, &[""]);
            let line = |words: &[&str]| Line {
                at: Timestamp::UNIX_EPOCH,
                what: *what,
                words: words.iter().map(|word| (*word).to_owned()).collect(),
            };
            assert_eq!(lines(&story), [line(&["person", "01RUN"]), line(&[""])]);
        }
    }

    #[test]
    fn an_id_from_outside_makes_no_line_of_its_own() {
        let story = What::Run.line(0, &["01\n0 recorded 119\0"]);
        assert_eq!(story, "0 run 010 recorded 119\n");
    }

    #[test]
    fn what_is_half_cut_and_what_is_not_known_is_left_out() {
        let whole = What::Sending.line(0, &[]);
        let story = format!("{whole}0 run 01\n{GAP}\nwarded 01\n{whole}0 from_the_future\n");
        let whats: Vec<_> = lines(&story).iter().map(|line| line.what).collect();
        assert_eq!(whats, [What::Sending, What::Gap, What::Sending]);
    }
}
