//! Days, one after the other, on all cores.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::dice::Dice;
use super::process::{CALM, live};
use super::script::Script;
use super::world::{Due, World};

/// How many days are played without `SIM_DAYS`.
const DAYS: u64 = 1000;

/// What has to happen in that many days.
const KINDS: [&str; 50] = [
    "a lead moves",
    "a webhook comes twice",
    "a webhook comes late",
    "a webhook is lost",
    "a webhook is repeated",
    "a crm/create-deal event",
    "the ERP answers 503",
    "the ERP answers 503 and keeps the record",
    "the ERP does not answer",
    "the ERP answers with errors of PHP",
    "the ERP has lost its database",
    "the ERP's proxy answers 502",
    "the ERP cannot be reached",
    "the ERP refuses deals",
    "the ERP denies access",
    "ERP: 503",
    "ERP: 503, record there",
    "ERP: no answer",
    "ERP: no answer, record there",
    "ERP: no answer, record later",
    "ERP: empty 500",
    "ERP: empty 500, record there",
    "ERP: page of an error",
    "ERP: page of an error, record there",
    "ERP: without its database",
    "ERP: 502",
    "ERP: 502, record there",
    "ERP: no connection",
    "amoCRM: 429",
    "amoCRM: 402",
    "amoCRM: 500",
    "amoCRM: no answer",
    "amoCRM: no answer after it has acted",
    "amoCRM: no connection",
    "amoCRM hides a lead",
    "access tokens end",
    "a consent is given",
    "Inngest: no connection",
    "Inngest: 503",
    "Inngest: answer lost",
    "Inngest: event taken, never run",
    "Inngest: event starts nothing",
    "Inngest loses a run",
    "statement refused",
    "database silent",
    "commit failed",
    "commit without its answer",
    "killed at a point",
    "a new version is deployed",
    "the clock is set",
];

/// Plays the script, and returns the world at its end.
pub(super) fn play(script: &Script, dice: Dice, aloud: bool) -> Arc<World> {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let world = World::new(script.settings, dice, aloud);
    world.tell(format!("{:?}", script.settings));
    for (moment, act) in &script.acts {
        world.at(*moment, Due::Act(*act));
    }
    let minute = Duration::from_secs(60);
    world.at(Duration::ZERO, Due::Start);
    world.at(3 * minute, Due::Tick);
    world.at(30 * minute, Due::LookAgain);
    world.at(script.calm() + CALM, Due::Over);
    live(&world, folder.path());
    world
}

/// Where the databases are: in memory, where there is such a place.
fn room() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn day(seed: u64, aloud: bool) -> Arc<World> {
    let mut dice = Dice::new(seed);
    let script = Script::of(&mut dice);
    play(&script, dice, aloud)
}

#[expect(clippy::disallowed_methods, reason = "how much to play is asked of the environment")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

fn story(seed: u64, world: &World) -> String {
    format!("seed {seed}:\n{}\n", world.state().story.join("\n"))
}

#[test]
fn every_lead_gets_its_one_record_whatever_fails() {
    if let Some(seed) = asked("SIM_SEED") {
        let world = day(seed, true);
        assert!(world.state().wrong.is_empty());
        return;
    }
    let days = asked("SIM_DAYS").unwrap_or(DAYS);
    let next = AtomicU64::new(asked("SIM_FIRST").unwrap_or(1));
    let last = next.load(Ordering::Relaxed) + days;
    let (failed, happened) = (Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    let world = day(seed, false);
                    let state = world.state();
                    let mut all = happened.lock().unwrap();
                    for (kind, times) in &state.happened {
                        *all.entry(*kind).or_insert(0) += times;
                    }
                    drop(all);
                    let wrong = state.wrong.join("\n");
                    drop(state);
                    if !wrong.is_empty() {
                        println!("seed {seed}:\n{wrong}");
                        failed.lock().unwrap().push((seed, story(seed, &world)));
                    }
                }
            });
        }
    });
    let happened = happened.into_inner().unwrap();
    for (kind, times) in &happened {
        println!("{times:6}  {kind}");
    }
    // No kind of failure may be there in name only.
    if days >= DAYS {
        let rare: Vec<_> = KINDS.iter().filter(|kind| !happened.contains_key(**kind)).collect();
        assert!(rare.is_empty(), "never happened: {rare:?}");
    }
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let seeds: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    let first = failed.first().map(|(_, story)| story.as_str()).unwrap_or_default();
    assert!(failed.is_empty(), "{} of {days} days went wrong: {seeds:?}\n{first}", seeds.len());
}
