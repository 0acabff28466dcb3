//! Each kind of failure by itself, small enough to be read: that it happens, and that the deal gets its record all the same.

use std::time::Duration;

use jiff::SignedDuration;

use super::days::play;
use super::dice::Dice;
use super::script::{Act, Hook, Script, Settings};
use super::world::World;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

const MARKED: Settings = Settings { by_event: false, marker: true, unique: false };
const PLAIN: Settings = Settings { by_event: false, marker: false, unique: false };
const BY_EVENT: Settings = Settings { by_event: true, marker: true, unique: false };

const LEAD: Act = Act::Moves { lead: 1001, hook: Hook::Sent };

/// Plays `acts`, each at its minute, and expects `kinds` to have happened. Returns what happened how often.
#[track_caller]
fn plays(settings: Settings, acts: &[(u32, Act)], kinds: &[&str]) -> std::sync::Arc<World> {
    let acts = acts.iter().map(|(minute, act)| (*minute * MINUTE, *act)).collect();
    let world = play(&Script { settings, acts }, Dice::new(7), false);
    let state = world.state();
    let story = state.story.join("\n");
    assert!(state.wrong.is_empty(), "{story}");
    for kind in kinds {
        assert!(state.happened.contains_key(kind), "{kind} did not happen:\n{story}");
    }
    drop(state);
    world
}

#[track_caller]
fn decides(world: &World, times: usize) {
    let state = world.state();
    assert_eq!(state.person.decisions, times, "{}", state.story.join("\n"));
}

#[test]
fn nothing_fails() {
    for settings in [MARKED, PLAIN, BY_EVENT] {
        decides(&plays(settings, &[(10, LEAD), (11, Act::Creates { deal: 1 })], &[]), 0);
    }
}

#[test]
fn the_erp_is_away_in_every_way_and_its_field_for_the_lead_ends_every_doubt() {
    let long = 3 * HOUR;
    for (act, kind) in [
        (Act::Erp503(long), "ERP: 503"),
        (Act::Erp503WithRow(long), "ERP: 503, record there"),
        (Act::ErpHangs(long), "ERP: no answer"),
        (Act::ErpPhpErrors(long), "ERP: empty 500"),
        (Act::ErpHasNoDatabase(long), "ERP: without its database"),
        (Act::Erp502(long), "ERP: 502"),
        (Act::ErpUnreachable(long), "ERP: no connection"),
    ] {
        decides(&plays(MARKED, &[(9, act), (10, LEAD)], &[kind]), 0);
    }
}

#[test]
fn without_that_field_a_person_ends_a_doubt_once() {
    let away = Act::Erp503WithRow(3 * HOUR);
    for settings in [PLAIN, BY_EVENT] {
        decides(&plays(settings, &[(9, away), (10, LEAD)], &["ERP: 503, record there"]), 1);
    }
}

#[test]
fn an_erp_that_denies_access_leaves_no_doubt_to_a_person() {
    for settings in [MARKED, PLAIN, BY_EVENT] {
        let acts = [(9, Act::ErpDenies(3 * HOUR)), (10, LEAD), (11, Act::Creates { deal: 1 })];
        decides(&plays(settings, &acts, &["the ERP denies access"]), 0);
    }
}

#[test]
fn a_person_mends_what_the_erp_refuses_and_sends_the_deal_again() {
    let refuses = Act::ErpRefuses(3 * HOUR);
    decides(&plays(MARKED, &[(9, refuses), (10, LEAD)], &["the ERP refuses deals"]), 1);
}

#[test]
fn amocrm_is_away_in_every_way() {
    let long = 3 * HOUR;
    for (act, kind) in [
        (Act::AmoCrm429(long), "amoCRM: 429"),
        (Act::AmoCrm402(long), "amoCRM: 402"),
        (Act::AmoCrm500(long), "amoCRM: 500"),
        (Act::AmoCrmHangs(long), "amoCRM: no answer"),
        (Act::AmoCrmUnreachable(long), "amoCRM: no connection"),
    ] {
        decides(&plays(MARKED, &[(9, act), (10, LEAD)], &[kind]), 0);
    }
}

#[test]
fn a_consent_comes_hours_after_the_tokens_have_died() {
    let acts = [(9, Act::Revokes(7 * HOUR)), (10, LEAD)];
    decides(&plays(MARKED, &acts, &["a consent is given"]), 0);
    decides(&plays(MARKED, &[(9, Act::TokensEnd), (10, LEAD)], &["access tokens end"]), 0);
}

#[test]
fn inngest_is_away_loses_answers_events_and_its_whole_state() {
    let long = 3 * HOUR;
    for (act, kind) in [
        (Act::InngestUnreachable(long), "Inngest: no connection"),
        (Act::Inngest503(long), "Inngest: 503"),
        (Act::InngestLosesAnswers(5 * MINUTE), "Inngest: answer lost"),
        (Act::InngestSwallows(long), "Inngest: event taken, never run"),
        (Act::InngestForgets(Duration::from_secs(1)), "Inngest: event starts nothing"),
        (Act::InngestForgets(30 * MINUTE), "Inngest: no connection"),
    ] {
        decides(&plays(MARKED, &[(9, act), (10, LEAD)], &[kind]), 0);
    }
    let under_way = [(9, Act::Erp503(HOUR)), (10, LEAD), (11, Act::InngestForgets(MINUTE))];
    decides(&plays(MARKED, &under_way, &["Inngest loses a run"]), 0);
}

#[test]
fn the_database_refuses_falls_silent_and_loses_commits() {
    let short = 20 * MINUTE;
    for (act, kind) in [
        (Act::DatabaseRefuses(short), "statement refused"),
        (Act::DatabaseFallsSilent(short), "database silent"),
        (Act::CommitsFail(short), "commit failed"),
        (Act::CommitsLoseTheirAnswer(short), "commit without its answer"),
    ] {
        decides(&plays(MARKED, &[(9, act), (10, LEAD)], &[kind]), 0);
    }
}

#[test]
fn the_process_is_killed_at_every_point_of_a_deal() {
    // The webhook, the event, the run with its calls of amoCRM and the ERP.
    let mut killed = 0;
    for points in 0..90 {
        let kill = Act::Killed { points, down: 20 * MINUTE };
        let world = plays(MARKED, &[(9, kill), (10, LEAD)], &[]);
        decides(&world, 0);
        killed += world.state().happened.get("killed at a point").copied().unwrap_or_default();
    }
    assert!(killed > 60, "{killed}");
}

#[test]
fn a_new_version_is_deployed_in_mid_run() {
    let acts = [(9, Act::Erp503(3 * HOUR)), (10, LEAD), (11, Act::Deploy)];
    decides(&plays(MARKED, &acts, &["a new version is deployed"]), 0);
}

#[test]
fn the_clock_is_set_forward_and_back() {
    for seconds in [-7000, 7000] {
        let set = Act::ClockSteps(SignedDuration::from_secs(seconds));
        let acts = [(9, Act::Erp503(HOUR)), (10, LEAD), (12, set)];
        decides(&plays(MARKED, &acts, &["the clock is set"]), 0);
    }
}

#[test]
fn webhooks_come_twice_late_and_not_at_all() {
    for (hook, kind) in [
        (Hook::SentTwice, "a webhook comes twice"),
        (Hook::Late(80 * MINUTE), "a webhook comes late"),
        (Hook::Lost, "a webhook is lost"),
    ] {
        for settings in [MARKED, PLAIN, BY_EVENT] {
            decides(&plays(settings, &[(10, Act::Moves { lead: 1001, hook })], &[kind]), 0);
        }
    }
}

#[test]
fn a_lead_is_hidden_until_a_person_has_mended_its_rights() {
    let acts = [(9, Act::Hides { lead: 1001, time: 3 * HOUR }), (10, LEAD)];
    decides(&plays(MARKED, &acts, &["amoCRM hides a lead"]), 1);
}

#[test]
fn an_event_is_taken_its_answer_is_lost_and_the_process_dies_while_the_erp_is_away() {
    let acts = [
        (9, Act::ErpHasNoDatabase(12 * MINUTE)),
        (9, Act::InngestLosesAnswers(70 * Duration::from_secs(1))),
        (10, LEAD),
        (11, Act::Killed { points: 0, down: 12 * MINUTE }),
    ];
    decides(&plays(MARKED, &acts, &["Inngest: answer lost", "killed at a point"]), 0);
}

#[test]
fn a_deal_of_another_program_survives_the_death_of_its_run_and_of_the_handler() {
    let acts = [
        (9, Act::ErpHasNoDatabase(12 * MINUTE)),
        (10, Act::Creates { deal: 1 }),
        (11, Act::Killed { points: 0, down: 12 * MINUTE }),
    ];
    let world = plays(MARKED, &acts, &["killed at a point"]);
    assert_eq!(world.erp.rows().len(), 1);
}

#[test]
fn a_late_webhook_that_meets_an_outage_comes_after_reconciliation_and_makes_no_second_record() {
    let late = Act::Moves { lead: 1001, hook: Hook::Late(80 * MINUTE) };
    let acts = [(10, late), (85, Act::DatabaseRefuses(27 * MINUTE))];
    let world = plays(BY_EVENT, &acts, &["a webhook comes late"]);
    assert_eq!(world.erp.rows().len(), 1);
}
