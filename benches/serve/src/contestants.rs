//! Who is measured: how each is built, started and called.

use std::env::{current_exe, var_os};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::calls::{SIGNING_KEY, StepNames, WEBHOOK_SECRET};
use crate::process::{Process, free_port};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    Floor,
    Sdk,
    Service,
    Published,
    TypeScript,
}

impl Contestant {
    pub(crate) const ALL: [Self; 5] =
        [Self::Floor, Self::Sdk, Self::Service, Self::Published, Self::TypeScript];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Sdk => "this SDK",
            Self::Service => "the service",
            Self::Published => "published Rust SDK 0.1.1",
            Self::TypeScript => "TypeScript SDK 4, node",
        }
    }

    pub(crate) fn step_names(self) -> StepNames {
        match self {
            Self::Published => StepNames::Published,
            _ => StepNames::Protocol,
        }
    }
}

/// Where everything is.
pub(crate) struct Places {
    repository: PathBuf,
    /// The folder of this program, where cargo puts the others too.
    binaries: PathBuf,
    /// The other SDKs, kept from one time to the next.
    peers: PathBuf,
    /// Databases and logs of this time.
    pub(crate) scratch: tempfile::TempDir,
    /// Where the ERP and the Inngest of the contestants listen.
    pub(crate) upstream: u16,
}

impl Places {
    pub(crate) fn new(upstream: u16) -> Result<Self> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let binaries = current_exe()?.parent().context("this program has no folder")?.to_owned();
        let peers = binaries.join("bench-peers");
        Ok(Self { repository, binaries, peers, scratch: tempfile::tempdir()?, upstream })
    }

    pub(crate) fn document(&self, name: &str) -> PathBuf {
        self.repository.join("docs").join(name)
    }

    /// Builds or fetches what `contestant` needs.
    pub(crate) fn prepare(&self, contestant: Contestant) -> Result<()> {
        match contestant {
            Contestant::Floor | Contestant::Sdk => self.cargo("bench-serve"),
            Contestant::Service => self.cargo("prometei-flow"),
            Contestant::Published => self.published(),
            Contestant::TypeScript => self.typescript(),
        }
    }

    fn cargo(&self, package: &str) -> Result<()> {
        let target = self.binaries.parent().context("no target folder")?;
        let mut cargo = cargo();
        cargo.args(["build", "--release", "--locked", "--bins", "-p", package]);
        run(cargo.arg("--target-dir").arg(target).current_dir(&self.repository))
    }

    /// Its dependencies are those of its manifest, from their registry.
    fn published(&self) -> Result<()> {
        let folder = self.peers.join("published");
        let source = self.repository.join("benches/serve/peers/published");
        fs::create_dir_all(folder.join("src"))?;
        for file in ["Cargo.toml", "src/main.rs"] {
            let text = fs::read(source.join(file))?;
            // A file that is written anew is built anew.
            if fs::read(folder.join(file)).ok().as_ref() != Some(&text) {
                fs::write(folder.join(file), text)?;
            }
        }
        let mut cargo = cargo();
        cargo.args(["build", "--release", "--target-dir", "target"]).env("CARGO_NET_RETRY", "1");
        run(cargo.current_dir(folder))
    }

    fn typescript(&self) -> Result<()> {
        let folder = self.peers.join("typescript");
        fs::create_dir_all(&folder)?;
        let script = "benches/serve/peers/typescript/serve.mjs";
        fs::copy(self.repository.join(script), folder.join("serve.mjs"))?;
        fs::write(folder.join("package.json"), r#"{"private":true,"type":"module"}"#)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
        // Where the registry does not answer, npm would try for ten minutes.
        npm.args(["--prefer-offline", "--fetch-retries=1", "--fetch-timeout=20000", "inngest@4"]);
        run(npm.current_dir(folder))
    }

    fn program(&self, contestant: Contestant) -> PathBuf {
        match contestant {
            Contestant::Floor => self.binaries.join("floor"),
            Contestant::Sdk => self.binaries.join("sdk"),
            Contestant::Service => self.binaries.join("prometei-flow"),
            Contestant::Published => self.peers.join("published/target/release/published"),
            Contestant::TypeScript => self.peers.join("typescript/serve.mjs"),
        }
    }

    /// The size of its program in MB; nothing where it is a script.
    pub(crate) fn size(&self, contestant: Contestant) -> Option<f64> {
        let bytes = fs::metadata(self.program(contestant)).ok()?.len();
        let bytes = u32::try_from(bytes).ok().filter(|_| contestant != Contestant::TypeScript)?;
        Some(f64::from(bytes) / 1e6)
    }

    /// Starts it in production mode. Its Inngest is that of `upstream`, or a port where nothing listens.
    pub(crate) async fn start(
        &self,
        contestant: Contestant,
        with_inngest: bool,
    ) -> Result<Process> {
        let port = free_port()?;
        let inngest = if with_inngest { self.upstream } else { free_port()? };
        let mut command = match contestant {
            Contestant::TypeScript => Command::new("node"),
            _ => Command::new(self.program(contestant)),
        };
        if contestant == Contestant::TypeScript {
            command.arg(self.program(contestant));
        }
        let variable = |name| var_os(name).unwrap_or_default();
        command.env_clear().env("PATH", variable("PATH")).env("HOME", variable("HOME"));
        command.envs([
            ("PORT", port.to_string()),
            ("UPSTREAM", format!("http://127.0.0.1:{}/erp", self.upstream)),
            ("INNGEST_MODE", "cloud".to_owned()),
            ("INNGEST_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("INNGEST_EVENT_KEY", "bench".to_owned()),
            ("INNGEST_BASE_URL", format!("http://127.0.0.1:{inngest}")),
            ("NODE_ENV", "production".to_owned()),
        ]);
        let place = self.scratch.path().join(port.to_string());
        fs::create_dir_all(&place)?;
        if contestant == Contestant::Service {
            command.envs([
                ("ADMIN_ADDR", format!("127.0.0.1:{}", free_port()?)),
                ("DATABASE_URL", "sqlite://bench.db".to_owned()),
                ("AMOCRM_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
                ("CRM_API_URL", format!("http://127.0.0.1:{}/erp", self.upstream)),
                ("CRM_API_KEY", "bench".to_owned()),
                ("CRM_API_USERNAME", "bench".to_owned()),
                ("CRM_API_PASSWORD", "bench".to_owned()),
            ]);
        }
        let log = place.join("log");
        let started = Process::start(command.current_dir(&place), port, &log).await;
        started.with_context(|| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("{} does not start: {said}", contestant.name())
        })
    }
}

fn cargo() -> Command {
    Command::new(var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.env("CARGO_INCREMENTAL", "0").status()?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
