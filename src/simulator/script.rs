//! What happens in a day, as the seed decides: leads move, and several things fail at once.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use super::dice::Dice;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How the service of a world is set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// One record for each event, and not for each lead.
    pub(super) by_event: bool,
    /// The ERP has a field for the lead's id.
    pub(super) marker: bool,
    /// The ERP itself keeps that field unique. Without, it protects the service from nothing.
    pub(super) unique: bool,
}

/// How a webhook goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    Sent,
    SentTwice,
    Late(Duration),
    Lost,
}

/// Something that the script lets happen. A duration is how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// A lead enters the stage.
    Moves {
        lead: u64,
        hook: Hook,
    },
    /// Another program sends a `crm/create-deal` event.
    Creates {
        deal: u64,
    },
    Erp503(Duration),
    Erp503WithRow(Duration),
    ErpHangs(Duration),
    ErpPhpErrors(Duration),
    ErpHasNoDatabase(Duration),
    Erp502(Duration),
    ErpUnreachable(Duration),
    /// It refuses every deal, until a person has mended the cause.
    ErpRefuses(Duration),
    /// It refuses access to its user, on PHP 8: with an empty 500.
    ErpDenies(Duration),
    AmoCrm429(Duration),
    AmoCrm402(Duration),
    AmoCrm500(Duration),
    AmoCrmHangs(Duration),
    AmoCrmUnreachable(Duration),
    /// amoCRM shows a lead not, until a person has given its rights back.
    Hides {
        lead: u64,
        time: Duration,
    },
    /// Access tokens end before their time.
    TokensEnd,
    /// The integration is switched off; the consent comes after this time.
    Revokes(Duration),
    InngestUnreachable(Duration),
    Inngest503(Duration),
    /// It does what it was asked for, and its answers do not arrive.
    InngestLosesAnswers(Duration),
    /// It takes events and starts nothing.
    InngestSwallows(Duration),
    /// It comes back after this time, without its state.
    InngestForgets(Duration),
    DatabaseRefuses(Duration),
    DatabaseFallsSilent(Duration),
    CommitsFail(Duration),
    CommitsLoseTheirAnswer(Duration),
    /// The process is killed after so many more points at which it touches the world, and is away for this time.
    Killed {
        points: u64,
        down: Duration,
    },
    /// A new version: the old process is given time to finish.
    Deploy,
    ClockSteps(SignedDuration),
}

impl Act {
    /// How long it lasts.
    pub(super) fn lasts(&self) -> Duration {
        match *self {
            Self::Erp503(time)
            | Self::Erp503WithRow(time)
            | Self::ErpHangs(time)
            | Self::ErpPhpErrors(time)
            | Self::ErpHasNoDatabase(time)
            | Self::Erp502(time)
            | Self::ErpUnreachable(time)
            | Self::ErpRefuses(time)
            | Self::ErpDenies(time)
            | Self::AmoCrm429(time)
            | Self::AmoCrm402(time)
            | Self::AmoCrm500(time)
            | Self::AmoCrmHangs(time)
            | Self::AmoCrmUnreachable(time)
            | Self::Hides { time, .. }
            | Self::Revokes(time)
            | Self::InngestUnreachable(time)
            | Self::Inngest503(time)
            | Self::InngestLosesAnswers(time)
            | Self::InngestSwallows(time)
            | Self::InngestForgets(time)
            | Self::DatabaseRefuses(time)
            | Self::DatabaseFallsSilent(time)
            | Self::CommitsFail(time)
            | Self::CommitsLoseTheirAnswer(time)
            | Self::Killed { down: time, .. }
            | Self::Moves { hook: Hook::Late(time), .. } => time,
            Self::Moves { .. }
            | Self::Creates { .. }
            | Self::TokensEnd
            | Self::Deploy
            | Self::ClockSteps(_) => Duration::ZERO,
        }
    }

    /// Its name, as it is counted.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Moves { hook: Hook::Sent, .. } => "a lead moves",
            Self::Moves { hook: Hook::SentTwice, .. } => "a webhook comes twice",
            Self::Moves { hook: Hook::Late(_), .. } => "a webhook comes late",
            Self::Moves { hook: Hook::Lost, .. } => "a webhook is lost",
            Self::Creates { .. } => "a crm/create-deal event",
            Self::Erp503(_) => "the ERP answers 503",
            Self::Erp503WithRow(_) => "the ERP answers 503 and keeps the record",
            Self::ErpHangs(_) => "the ERP does not answer",
            Self::ErpPhpErrors(_) => "the ERP answers with errors of PHP",
            Self::ErpHasNoDatabase(_) => "the ERP has lost its database",
            Self::Erp502(_) => "the ERP's proxy answers 502",
            Self::ErpUnreachable(_) => "the ERP cannot be reached",
            Self::ErpRefuses(_) => "the ERP refuses deals",
            Self::ErpDenies(_) => "the ERP denies access",
            Self::AmoCrm429(_) => "amoCRM answers 429",
            Self::AmoCrm402(_) => "amoCRM answers 402",
            Self::AmoCrm500(_) => "amoCRM answers 500",
            Self::AmoCrmHangs(_) => "amoCRM does not answer",
            Self::AmoCrmUnreachable(_) => "amoCRM cannot be reached",
            Self::Hides { .. } => "amoCRM hides a lead",
            Self::TokensEnd => "access tokens end",
            Self::Revokes(_) => "the integration is switched off",
            Self::InngestUnreachable(_) => "Inngest cannot be reached",
            Self::Inngest503(_) => "Inngest answers 503",
            Self::InngestLosesAnswers(_) => "Inngest's answers are lost",
            Self::InngestSwallows(_) => "Inngest takes events and runs nothing",
            Self::InngestForgets(_) => "Inngest loses its state",
            Self::DatabaseRefuses(_) => "the database refuses everything",
            Self::DatabaseFallsSilent(_) => "the database falls silent",
            Self::CommitsFail(_) => "commits fail",
            Self::CommitsLoseTheirAnswer(_) => "commits lose their answer",
            Self::Killed { .. } => "the process is killed",
            Self::Deploy => "a new version is deployed",
            Self::ClockSteps(_) => "the clock is set",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moves { lead, .. } => write!(f, "lead {lead}: {}", self.name()),
            Self::Hides { lead, time } => write!(f, "lead {lead}: {} for {time:.0?}", self.name()),
            Self::Creates { deal } => write!(f, "deal {deal}: {}", self.name()),
            Self::Killed { points, down } => {
                write!(f, "{} {points} points from here, and is away for {down:.0?}", self.name())
            }
            Self::ClockSteps(by) => write!(f, "{} by {by:#}", self.name()),
            _ if self.lasts().is_zero() => f.write_str(self.name()),
            _ => write!(f, "{} for {:.0?}", self.name(), self.lasts()),
        }
    }
}

/// The acts of a world, each with its moment.
pub(super) struct Script {
    pub(super) settings: Settings,
    pub(super) acts: Vec<(Duration, Act)>,
}

impl Script {
    /// The script of a day with several failures.
    pub(super) fn of(dice: &mut Dice) -> Self {
        let marker = dice.percent(60);
        let settings =
            Settings { by_event: dice.percent(25), marker, unique: marker && dice.percent(25) };
        let mut acts = Vec::new();
        let morning = 10 * MINUTE;
        let leads = dice.between(2, 5);
        for lead in 1..=leads {
            let hook = match dice.between(0, 9) {
                0 => Hook::Lost,
                1 => Hook::SentTwice,
                2 => Hook::Late(dice.span(MINUTE, 90 * MINUTE)),
                _ => Hook::Sent,
            };
            let moment = morning + dice.span(MINUTE, 14 * HOUR);
            acts.push((moment, Act::Moves { lead: 1000 + lead, hook }));
            if dice.percent(5) {
                let time = dice.span(30 * MINUTE, 5 * HOUR);
                acts.push((
                    moment - Duration::from_secs(1),
                    Act::Hides { lead: 1000 + lead, time },
                ));
            }
        }
        if dice.percent(40) {
            acts.push((morning + dice.span(MINUTE, 12 * HOUR), Act::Creates { deal: 1 }));
        }
        // Most failures come together with a lead: elsewhere they would meet nothing.
        let moves: Vec<Duration> = acts.iter().map(|(moment, _)| *moment).collect();
        for _ in 0..dice.between(1, 5) {
            let mut act = failure(dice);
            if let Act::ClockSteps(by) = act
                && settings.by_event
            {
                // A webhook and its entry in the feed are matched by their times, which may be five minutes apart.
                act = Act::ClockSteps(by / 30);
            }
            let near = dice.one_of(&moves);
            let before = dice.span(Duration::from_secs(1), 20 * MINUTE);
            // A server that forgets has runs to lose only just after a lead has moved.
            let first = if matches!(act, Act::InngestForgets(_)) { 35 } else { 70 };
            let moment = if dice.percent(first) {
                near.saturating_sub(before)
            } else {
                near + dice.span(Duration::from_millis(100), 30 * MINUTE)
            };
            acts.push((moment.max(5 * MINUTE), act));
        }
        acts.sort_by_key(|(moment, _)| *moment);
        Self { settings, acts }
    }

    /// When the last failure is over. While our clock runs ahead of amoCRM's, reconciliation has read up to a time that
    /// amoCRM has not reached, and a lost webhook is found by the daily look back.
    pub(super) fn calm(&self) -> Duration {
        let over = self.acts.iter().map(|(moment, act)| *moment + act.lasts()).max();
        let ahead = |act: &Act| matches!(act, Act::ClockSteps(by) if by.is_positive());
        let look_back =
            if self.acts.iter().any(|(_, act)| ahead(act)) { 10 * HOUR } else { Duration::ZERO };
        over.unwrap_or_default() + look_back
    }
}

fn failure(dice: &mut Dice) -> Act {
    let time = match dice.between(0, 19) {
        0 => dice.span(DAY, 7 * DAY),
        1..=6 => dice.span(HOUR, 10 * HOUR),
        _ => dice.span(MINUTE, 90 * MINUTE),
    };
    let short = dice.span(Duration::from_secs(5), 30 * MINUTE);
    match dice.between(0, 34) {
        0 => Act::Erp503(time),
        1 => Act::Erp503WithRow(time),
        2 | 3 => Act::ErpHangs(time),
        4 => Act::ErpPhpErrors(time),
        5 => Act::ErpHasNoDatabase(time),
        6 => Act::Erp502(time),
        7 => Act::ErpUnreachable(time),
        8 => Act::ErpRefuses(time.min(8 * HOUR)),
        9 => Act::AmoCrm429(time),
        10 => Act::AmoCrm402(time),
        11 => Act::AmoCrm500(time),
        12 => Act::AmoCrmHangs(time),
        13 => Act::AmoCrmUnreachable(time),
        14 | 15 => Act::TokensEnd,
        16 | 17 => Act::Revokes(time.min(2 * DAY)),
        18 => Act::InngestUnreachable(time),
        19 => Act::Inngest503(time),
        20 => Act::InngestLosesAnswers(short),
        21 => Act::InngestSwallows(time.min(5 * HOUR)),
        22 => Act::InngestForgets(short),
        23 => Act::InngestForgets(Duration::from_secs(1)),
        24 => Act::DatabaseRefuses(short),
        25 => Act::DatabaseFallsSilent(short),
        26 => Act::CommitsFail(short),
        27 => Act::CommitsLoseTheirAnswer(short),
        28..=31 => Act::Killed { points: dice.between(0, 60), down: dice.span(MINUTE, 3 * HOUR) },
        32 => Act::Deploy,
        33 => Act::ErpDenies(time),
        _ => {
            let seconds = dice.between(1, 2 * 3600) as i64;
            let seconds = if dice.percent(50) { -seconds } else { seconds };
            Act::ClockSteps(SignedDuration::from_secs(seconds))
        }
    }
}
