//! Repeated ids whose order is left to chance (P-148).
//!
//! The number of a repeated id says which of its steps was made first. Code in a row makes them in the same order in every
//! call, and so do combinators that poll their branches in turn. `select!` polls them in a random order, and the code of
//! one branch would get the result of the other. So where branches have made steps with one id, nothing of the function is
//! run or reported before it was polled a few times more: the order in which it polls these steps shows which kind it is.

/// The longest turn of `tokio::join!`, which begins with another branch at each poll.
const MAX_TURN: usize = 64;
/// As many polls as show that an order which changes does not do so in turn.
const POLLS_OF_TURNS: usize = 2 * MAX_TURN + 32;
/// Polls for each step that is waited for, until an order that never changed counts as one that does not. The rarest of
/// chances is one in as many polls as there are branches.
const POLLS_PER_STEP: usize = 16;
const MOST_POLLS_OF_STEPS: usize = 100_000;

/// When a step was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Made {
    window: u64,
    moment: u64,
}

/// Two steps with one id, made by branches that nothing has brought into an order.
#[derive(Debug)]
struct Doubt {
    first: usize,
    second: usize,
    /// Whether the first was polled before the second, poll by poll.
    seen: Vec<bool>,
}

/// In what order the steps of a call are made and polled.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Grows whenever the function is given something: what it makes then comes after all that it had made.
    window: u64,
    /// Grows whenever a step is left waiting: another branch may go on then.
    moment: u64,
    poll_began: u64,
    polls: usize,
    doubts: Vec<Doubt>,
}

/// What is known of the order.
pub(super) enum Steadiness {
    Steady,
    /// The function has to be polled again.
    Unknown,
    /// This step and an earlier one with its id come in any order.
    Unsteady(usize),
}

impl Order {
    pub(super) fn now(&self) -> Made {
        Made { window: self.window, moment: self.moment }
    }

    /// The function is given something.
    pub(super) fn goes_on(&mut self) {
        self.window += 1;
    }

    /// A step is left waiting. Returns the moment of that.
    pub(super) fn waits(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// The number of a step depends on an earlier one.
    pub(super) fn depends(&mut self, first: (usize, Made), second: usize) {
        let (first, made) = first;
        if made.window == self.window && made.moment != self.moment {
            self.doubts.push(Doubt { first, second, seen: Vec::new() });
            self.polls = 0;
        }
    }

    /// Looks at the last poll of a function that is quiet, and waits for so many steps. `polled` is the moment at which a
    /// step was polled last.
    pub(super) fn look(&mut self, polled: impl Fn(usize) -> u64, waiting: usize) -> Steadiness {
        if self.doubts.is_empty() {
            return Steadiness::Steady;
        }
        // The polls that made the steps say nothing: some of these were not there yet.
        if self.polls > 0 {
            for doubt in &mut self.doubts {
                doubt.look(&polled, self.poll_began);
            }
        }
        // What is polled only when it is woken is in the order of the wakes, which is that of the saved results.
        if self.polls == 1 {
            self.doubts.retain(|doubt| !doubt.seen.is_empty());
        }
        let changing = self.doubts.iter().any(|doubt| doubt.seen.contains(&false));
        let most = MOST_POLLS_OF_STEPS / waiting.max(1);
        let enough = match changing {
            true => POLLS_OF_TURNS,
            false => (POLLS_PER_STEP * waiting).min(most).max(POLLS_PER_STEP),
        };
        if self.polls < enough && !self.doubts.is_empty() {
            self.polls += 1;
            self.poll_began = self.moment;
            return Steadiness::Unknown;
        }
        let doubts = std::mem::take(&mut self.doubts);
        match doubts.iter().find(|doubt| !doubt.is_steady()) {
            Some(doubt) => Steadiness::Unsteady(doubt.second),
            None => Steadiness::Steady,
        }
    }
}

impl Doubt {
    fn look(&mut self, polled: impl Fn(usize) -> u64, poll_began: u64) {
        let (first, second) = (polled(self.first), polled(self.second));
        if first > poll_began && second > poll_began {
            self.seen.push(first < second);
        }
    }

    /// Whether the order is the one in which the steps were made, or changes in turn.
    fn is_steady(&self) -> bool {
        let seen = &self.seen;
        let in_turn = |turn: usize| seen.iter().zip(seen.iter().skip(turn)).all(|(a, b)| a == b);
        seen.contains(&true) && (1..=MAX_TURN).any(in_turn)
    }
}
