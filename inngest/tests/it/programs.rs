//! Any program of steps, under any order of the server's doings, comes to the same as running it directly, and
//! runs no step more often than it must.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all, select_all, try_join_all};
use inngest::{
    App, Checkpointing, Client, Config, Context, Error, Function, Result, ResultExt as _, Step,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use crate::simulator::{CheckpointApi, Choices, Server};
use crate::support::{Any, clock, dev};

/// A function made of steps.
#[derive(Clone, Debug)]
enum Program {
    /// Returns its own name, after failing this many times. Ids may repeat.
    Run {
        id: u8,
        fails: u8,
    },
    /// Fails for good.
    Fails {
        id: u8,
    },
    Sleep,
    /// One after the other; the first failure ends it.
    Sequence(Vec<Program>),
    /// All at the same time, each to its end.
    Join(Vec<Program>),
    /// All at the same time; the first failure ends it.
    TryJoin(Vec<Program>),
    /// The first to end.
    Race(Vec<Program>),
    /// A failure is a result.
    Caught(Box<Program>),
}

fn program() -> impl Strategy<Value = Program> {
    let leaf = prop_oneof![
        6 => (0..6_u8, 0..2_u8).prop_map(|(id, fails)| Program::Run { id, fails }),
        1 => (0..6_u8).prop_map(|id| Program::Fails { id }),
        1 => Just(Program::Sleep),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let several = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            several().prop_map(Program::Sequence),
            several().prop_map(Program::Join),
            several().prop_map(Program::TryJoin),
            several().prop_map(Program::Race),
            inner.prop_map(|program| Program::Caught(Box::new(program))),
        ]
    })
}

impl Program {
    fn has_race(&self) -> bool {
        match self {
            Self::Race(_) | Self::TryJoin(_) => true,
            Self::Sequence(all) | Self::Join(all) => all.iter().any(Self::has_race),
            Self::Caught(inner) => inner.has_race(),
            Self::Run { .. } | Self::Fails { .. } | Self::Sleep => false,
        }
    }

    /// What it comes to without any server.
    fn directly(&self) -> std::result::Result<Value, String> {
        match self {
            Self::Run { id, .. } => Ok(output(*id)),
            Self::Fails { id } => Err(format!("step {id} fails")),
            Self::Sleep => Ok(Value::Null),
            Self::Sequence(all) | Self::TryJoin(all) | Self::Race(all) => {
                all.iter().map(Self::directly).collect()
            }
            Self::Join(all) => Ok(all.iter().map(|each| or_failure(each.directly())).collect()),
            Self::Caught(inner) => Ok(or_failure(inner.directly())),
        }
    }
}

fn output(id: u8) -> Value {
    // `1.0` is `1` once it was saved.
    json!({ "of": id, "float": 1.0 })
}

fn or_failure<E: ToString>(result: std::result::Result<Value, E>) -> Value {
    result.unwrap_or_else(|error| json!({ "failed": error.to_string() }))
}

/// How often the code of each step ended well, by the number of the step's future in program order.
type Successes = Arc<Mutex<HashMap<String, u32>>>;

#[derive(Clone)]
struct Run<'a> {
    step: Step<'a>,
    successes: &'a Successes,
    /// Failures that each step has had; the steps fail their first attempts.
    failures: &'a Successes,
}

impl<'a> Run<'a> {
    /// `path` tells the places of the program apart.
    fn go(&self, program: &'a Program, path: String) -> BoxFuture<'a, Result<Value>> {
        let each = |all: &'a [Program]| -> Vec<_> {
            let paths = (0..all.len()).map(|n| format!("{path}.{n}"));
            all.iter().zip(paths).map(|(program, path)| self.go(program, path)).collect()
        };
        match program {
            Program::Run { id, fails } => {
                let (fails, successes, failures) = (*fails, self.successes, self.failures);
                let value = output(*id);
                let step = self.step.run(&id.to_string(), async move || {
                    let mut failures = failures.lock().expect("failures");
                    let failed = failures.entry(path.clone()).or_default();
                    if *failed < u32::from(fails) {
                        *failed += 1;
                        return Err(Error::from("try again"));
                    }
                    *successes.lock().expect("successes").entry(path).or_default() += 1;
                    Ok(value)
                });
                Box::pin(async move { Ok(step.await?) })
            }
            Program::Fails { id } => {
                let text = format!("step {id} fails");
                let step =
                    self.step.run(&id.to_string(), async move || Err::<Value, _>(text).no_retry());
                Box::pin(async move { Ok(step.await?) })
            }
            Program::Sleep => {
                let sleep = self.step.sleep("nap", Duration::from_secs(1));
                Box::pin(async move {
                    sleep.await;
                    Ok(Value::Null)
                })
            }
            Program::Sequence(all) => {
                let run = self.clone();
                Box::pin(async move {
                    let mut results = Vec::new();
                    for (n, program) in all.iter().enumerate() {
                        results.push(run.go(program, format!("{path}.{n}")).await?);
                    }
                    Ok(Value::Array(results))
                })
            }
            Program::Join(all) => {
                let all = join_all(each(all));
                Box::pin(async move { Ok(all.await.into_iter().map(or_failure).collect()) })
            }
            Program::TryJoin(all) => {
                let all = try_join_all(each(all));
                Box::pin(async move { Ok(Value::Array(all.await?)) })
            }
            Program::Race(all) => {
                let first = select_all(each(all));
                Box::pin(async move { first.await.0 })
            }
            Program::Caught(inner) => {
                let inner = self.go(inner, format!("{path}.0"));
                Box::pin(async move { Ok(or_failure(inner.await)) })
            }
        }
    }
}

struct Interpreter {
    program: Program,
    successes: Successes,
    failures: Successes,
}

impl Function for Interpreter {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let run = Run { step: cx.step, successes: &self.successes, failures: &self.failures };
        run.go(&self.program, String::new()).await
    }
}

/// Runs `program` on a server that decides as `choices` say.
fn on_a_server(
    program: &Program,
    choices: Vec<u8>,
    checkpoints: Option<(usize, Vec<u8>)>,
) -> (std::result::Result<Value, String>, HashMap<String, u32>) {
    let api = CheckpointApi::default();
    let checkpointing = checkpoints.map(|(steps, fates)| {
        api.0.lock().expect("state").checkpoints = fates.into();
        Checkpointing::new().steps_per_save(steps)
    });
    let successes = Successes::default();
    let function = Interpreter {
        program: program.clone(),
        successes: Arc::clone(&successes),
        failures: Successes::default(),
    };
    let client = Client::with_sources(dev(), api.clone(), clock(), |_| ());
    let config = Interpreter::config();
    let config = match checkpointing {
        Some(settings) => config.checkpointing(settings),
        None => config,
    };
    let endpoint =
        App::new("app", client).function(config.function(function)).build().expect("an app");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let ended = runtime.block_on(Server::new(&endpoint, api, Choices::new(choices)).run());
    let successes = successes.lock().expect("successes").clone();
    (ended, successes)
}

/// As the server would give it back.
fn saved(value: &Value) -> Value {
    serde_json::from_str(&serde_json_canonicalizer::to_string(value).expect("JSON")).expect("JSON")
}

fn assert_sound(
    program: &Program,
    ended: &std::result::Result<Value, String>,
    successes: &HashMap<String, u32>,
) -> std::result::Result<(), TestCaseError> {
    if !program.has_race() {
        prop_assert_eq!(
            ended.clone(),
            program.directly().as_ref().map(saved).map_err(Clone::clone)
        );
    }
    for (path, count) in successes {
        prop_assert_eq!(*count, 1, "the step at {} ran again after it was saved", path);
    }
    Ok(())
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..64)
}

proptest! {
    // The same programs in every run of the tests.
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x1996),
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn any_program_under_any_order_comes_to_the_same(program in program(), choices in choices()) {
        let (ended, successes) = on_a_server(&program, choices, None);
        assert_sound(&program, &ended, &successes)?;
    }

    #[test]
    fn the_same_with_steps_saved_within_the_call(
        program in program(),
        choices in choices(),
        fates in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        let (ended, successes) = on_a_server(&program, choices, Some((1, fates)));
        assert_sound(&program, &ended, &successes)?;
    }

    #[test]
    fn the_same_with_several_steps_in_one_save(
        program in program(),
        choices in choices(),
        steps in 2..5_usize,
    ) {
        let (ended, successes) = on_a_server(&program, choices, Some((steps, Vec::new())));
        assert_sound(&program, &ended, &successes)?;
    }
}
