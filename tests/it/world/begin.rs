use inngest_dev_server::DevServer;
use prometei_flow::cli::world;
use sandbox::{Launch, RunningWorld, free_port};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::Mutex;

use super::{Answer, Program, World, eventually, http_client};

/// The official server identifies apps by their URL, so there all tests share one and take turns.
const OFFICIAL_APP: &str = "127.0.0.1:13700";
static TURN: Mutex<()> = Mutex::const_new(());

/// How a described world begins.
pub(crate) trait Begin {
    /// With the service in the process of the test, registered with Inngest.
    async fn in_process(self) -> World;

    /// The same, with the official server in place of the embedded one where `INNGEST_TEST_SERVER` names it. One that
    /// signs takes part where `INNGEST_TEST_SIGNING_KEY` has its key.
    async fn end_to_end(self) -> World;

    /// The same with an Inngest that has never heard of the service, which may not have registered itself yet.
    async fn end_to_end_unknown(self) -> World;

    /// The same with an Inngest that may lose everything. The official one takes part where `INNGEST_TEST_RESTART` is the
    /// command for that.
    async fn end_to_end_with_restarts(self) -> World;

    /// The same with the real program.
    async fn spawned_end_to_end(self) -> World<Program>;

    /// With the real program, a process for each replica.
    async fn spawned(self) -> World<Program>;

    /// The same with no more than so many open files and connections in a process: `ulimit -n`.
    async fn spawned_with_descriptors(self, descriptors: Option<u32>) -> World<Program>;

    /// Without a service.
    async fn unserved(self) -> World<()>;
}

impl Begin for sandbox::World {
    async fn in_process(self) -> World {
        registered(self.start(world::start).await.unwrap()).await
    }

    async fn end_to_end(self) -> World {
        let world = self.end_to_end_unknown().await;
        world.known_to_inngest().await;
        world
    }

    async fn end_to_end_unknown(self) -> World {
        on_either_inngest(self, world::start).await
    }

    async fn end_to_end_with_restarts(self) -> World {
        let official = variable("INNGEST_TEST_SERVER").is_some();
        if official && variable("INNGEST_TEST_RESTART").is_none() {
            return self.in_process().await;
        }
        self.end_to_end().await
    }

    async fn spawned_end_to_end(self) -> World<Program> {
        let start = async |launch| Ok(Program::start(launch, None).await);
        let world = on_either_inngest(self, start).await;
        world.known_to_inngest().await;
        world
    }

    async fn spawned(self) -> World<Program> {
        self.spawned_with_descriptors(None).await
    }

    async fn spawned_with_descriptors(self, descriptors: Option<u32>) -> World<Program> {
        let start = async |launch| Ok(Program::start(launch, descriptors).await);
        registered(self.start(start).await.unwrap()).await
    }

    async fn unserved(self) -> World<()> {
        self.start(async |_| Ok(())).await.unwrap().into()
    }
}

/// Begins once the service is registered, where it uses the embedded Inngest. The service must have heard so itself: one that
/// loses Inngest before the answer holds its deals for minutes.
async fn registered<S>(running: RunningWorld<S>) -> World<S> {
    let world: World<S> = running.into();
    if world.is_embedded {
        world.known_to_inngest().await;
    }
    world
}

/// Begins with the official Inngest where there is one that fits, else with the embedded one.
async fn on_either_inngest<S>(
    mut described: sandbox::World,
    start: impl AsyncFn(Launch) -> anyhow::Result<S>,
) -> World<S> {
    let signing_key = variable("INNGEST_TEST_SIGNING_KEY");
    let (official, signing_key) = match (variable("INNGEST_TEST_SERVER"), signing_key) {
        (Some(official), None) if !described.is_signed() => (official, None),
        (Some(official), Some(key)) if described.is_signed() => (official, Some(key)),
        _ => return described.start(start).await.unwrap().into(),
    };
    let turn = TURN.lock().await;
    // The address was in use until the test before this one.
    let bind = async || TcpListener::bind(OFFICIAL_APP).await.ok();
    let public = eventually("the address of the app is free", bind).await;
    described = described.listeners(public, free_port().await.unwrap());
    described = described.inngest_at(official.trim_end_matches('/'));
    if let Some(key) = &signing_key {
        described = described.signing_key(key);
    }
    forget(&official, signing_key.as_deref()).await;
    let mut world: World<S> = described.start(start).await.unwrap().into();
    world._turn = Some(turn);
    world
}

impl<S> World<S> {
    /// Waits until each replica knows that it is registered.
    async fn known_to_inngest(&self) {
        eventually("Inngest knows the functions", async || {
            for replica in &self.replicas {
                let says = self.http.get(format!("http://{}/readyz", replica.admin));
                let says = Answer::to(says).await.json();
                (says["inngest"] == "knows the functions").then_some(())?;
            }
            Some(())
        })
        .await;
    }
}

impl World {
    /// Inngest loses all that it had, the runs that are under way included.
    pub(crate) async fn inngest_loses_everything(&mut self) {
        if self._turn.is_none() {
            return self.inngest_forgets().await;
        }
        let restart = variable("INNGEST_TEST_RESTART").unwrap();
        let restarted = Command::new("/bin/sh").args(["-c", restart.as_str()]).status().await;
        assert!(restarted.unwrap().success(), "{restart}");
        let url = format!("{}/dev", self.inngest_url);
        let answers = async || self.http.get(&url).send().await.ok();
        eventually("Inngest is back", answers).await;
    }

    /// Inngest loses all that it knew, the functions included. The official one keeps its runs.
    pub(crate) async fn inngest_forgets(&mut self) {
        if self._turn.is_some() {
            return forget(&self.inngest_url, None).await;
        }
        let address = self.inngest.url().socket_addrs(|| None).unwrap()[0];
        self.inngest.shutdown().await;
        let bind = async || TcpListener::bind(address).await.ok();
        let listener = eventually("the address of Inngest is free", bind).await;
        self.inngest = DevServer::builder().serve(listener, self.stop.child_token()).unwrap();
    }

    /// Lets running calls finish: the official server would make them again in the world of the next test.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        for replica in self.running.replicas {
            replica.service.await.unwrap().unwrap();
        }
    }
}

/// Has the official server forget the app, as one does that is started without its files.
async fn forget(official: &str, signing_key: Option<&str>) {
    let official = official.trim_end_matches('/');
    let remove = format!("{official}/fn/remove?url=http://{OFFICIAL_APP}/api/inngest");
    let (http, key) = (http_client(), signing_key.unwrap_or_default());
    eventually("the official server forgets the app", async || {
        let removed = http.delete(&remove).bearer_auth(key).send().await.unwrap().status();
        // 404: it never knew the app. 500: its database was busy.
        assert!(matches!(removed.as_u16(), 200 | 404 | 500), "{removed}");
        (removed != 500).then_some(())
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "what to test against is asked of the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
