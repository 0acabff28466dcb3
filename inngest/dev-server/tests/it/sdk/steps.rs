//! Steps that the function brings to their end.

use serde_json::{Value, json};

use super::world::{MODES, Run, World, eventually};

/// Runs a program in both modes, and checks what it returned.
pub(super) async fn returns(program: &str, expected: Value) -> Vec<Run> {
    returns_in(World::start().await, program, expected).await
}

pub(super) async fn returns_in(world: World, program: &str, expected: Value) -> Vec<Run> {
    let mut runs = Vec::new();
    for mode in MODES {
        let run = world.run(mode, program).await;
        assert_eq!(run.status, "Completed", "{mode}: {run:?}");
        assert_eq!(run.entry.output.as_ref(), Some(&expected), "{mode}");
        // The official server does not report the output of a checkpointed run (P-137).
        if run.output != json!("") {
            assert_eq!(run.output, expected, "{mode}");
        }
        runs.push(run);
    }
    world.end().await;
    runs
}

pub(super) fn bodies(run: &Run) -> Vec<(&str, u32)> {
    run.entry.bodies.iter().map(|(step, count)| (step.as_str(), *count)).collect()
}

#[tokio::test]
async fn steps_one_after_the_other() {
    for run in returns("serial", json!([1, 2, 3])).await {
        assert_eq!(bodies(&run), [("a", 1), ("b", 2)]);
    }
}

/// P-062, P-115: also what the test kit must answer.
#[tokio::test]
async fn numbers_are_written_anew_and_a_text_of_an_object_is_one() {
    let world = World::start().await;
    for mode in MODES {
        let run = world.run(mode, "numbers").await;
        let saved = json!([1, { "a": 1e21, "b": 0 }]);
        assert_eq!(run.entry.output, Some(json!({ "saved": saved, "own": 2.0 })), "{mode}");
        if run.output != json!("") {
            assert_eq!(run.output, json!({ "saved": saved, "own": 2 }), "{mode}");
        }
        let run = world.run(mode, "text of an object").await;
        assert_eq!(run.output, json!({ "a": 1 }), "{mode}");
    }
    world.end().await;
}

#[tokio::test]
async fn steps_beside_each_other() {
    for run in returns("parallel", json!([1, 2, 3])).await {
        assert_eq!(bodies(&run), [("a", 1), ("b", 1), ("c", 1)]);
    }
}

#[tokio::test]
async fn a_race_is_won_by_the_first() {
    returns("race", json!("fast")).await;
}

#[tokio::test]
async fn an_error_that_is_caught() {
    for run in returns("caught", json!([["fails", "no such order"], 1])).await {
        assert_eq!(bodies(&run), [("after", 1), ("fails", 1)]);
    }
}

#[tokio::test]
async fn steps_and_functions_are_tried_again() {
    for run in returns("retries", json!(2)).await {
        assert_eq!(bodies(&run), [("flaky", 2), ("function", 2)]);
    }
}

#[tokio::test]
async fn a_step_is_given_up_after_its_last_attempt() {
    for run in returns("gives up", json!("never")).await {
        assert_eq!(bodies(&run), [("fails", 3)]);
    }
}

/// The server allows three attempts, and counts the delivery that failed before the step.
#[tokio::test]
async fn a_steps_own_limit_counts_its_own_failures() {
    for run in returns("own limit", json!(["no", "no"])).await {
        assert_eq!((run.entry.bodies["late"], run.entry.bodies["next"]), (2, 2));
    }
}

#[tokio::test]
async fn a_final_error_fails_the_run_and_is_handled() {
    let world = World::start().await;
    for mode in MODES {
        let run = world.run(mode, "fails").await;
        assert_eq!(run.status, "Failed", "{mode}: {run:?}");
        assert_eq!(run.output["message"], "out of stock", "{mode}: {run:?}");
        assert_eq!(bodies(&run), [("a", 1)]);
        let handled = eventually("the failure is handled", async || world.noted(&run.id).failure);
        let error = json!(["OutOfStock", "out of stock", {"left": 0}, null]);
        assert_eq!(handled.await, error, "{mode}");
    }
    world.end().await;
}

#[tokio::test]
async fn events_are_sent_in_a_step() {
    returns("sends", json!(2)).await;
}

#[tokio::test]
async fn the_server_fetches_for_the_function() {
    returns("fetches", json!([200, "dev"])).await;
}

/// P-110: the SDK fetches what does not fit into a call.
#[tokio::test]
async fn state_over_4_mib() {
    for run in returns("big", json!([2_200_000, 2_200_000])).await {
        assert_eq!(bodies(&run), [("a", 1), ("b", 1)]);
    }
}
