//! The real program as a process of its own, to be killed and measured.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};
use sandbox::{Launch, Variables, close};
use tokio::net::TcpStream;

use super::eventually;

/// A service that can be started again and again, always on the same ports.
pub(crate) struct Program {
    public: SocketAddr,
    admin: SocketAddr,
    variables: Variables,
    descriptors: Option<u32>,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Program {
    /// Starts it on the addresses that `launch` keeps for it.
    pub(super) async fn start(launch: Launch, descriptors: Option<u32>) -> Self {
        let Launch { variables, public, admin, folder, .. } = launch;
        let (public, admin) = (close(public).await.unwrap(), close(admin).await.unwrap());
        let program =
            Self { public, admin, variables, descriptors, folder, child: Mutex::default() };
        program.restart().await;
        program
    }

    /// Starts it, after a `kill -9` where it runs, and waits until it listens.
    pub(crate) async fn restart(&self) {
        self.kill();
        let program = env!("CARGO_BIN_EXE_prometei-flow");
        let mut command = match self.descriptors {
            None => Command::new(program),
            Some(descriptors) => {
                let mut shell = Command::new("/bin/sh");
                let limited = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
                shell.args(["-c", &limited, program]);
                shell
            }
        };
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        command
            .arg("serve")
            .env_clear()
            .envs(&self.variables)
            .env("PORT", self.public.port().to_string())
            .env("ADMIN_ADDR", self.admin.to_string())
            // Not this repository's `.env`.
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        *self.child.lock().unwrap() = Some(command.spawn().unwrap());
        eventually("the program listens", async || {
            let ended = self.child.lock().unwrap().as_mut().map(|child| child.try_wait().unwrap());
            assert!(ended == Some(None), "it has ended: {}", self.log());
            TcpStream::connect(self.public).await.ok()
        })
        .await;
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// `kill`: it finishes what it does, and ends.
    pub(crate) async fn stop(&self) {
        let id = self.child.lock().unwrap().as_ref().map(Pid::from_child);
        kill_process(id.unwrap(), Signal::TERM).unwrap();
        eventually("the program ends", async || {
            self.child.lock().unwrap().as_mut().and_then(|child| child.try_wait().unwrap())
        })
        .await;
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.public.port()))
    }

    /// What `ps` shows of it.
    pub(crate) fn command_line(&self) -> String {
        self.proc("cmdline").unwrap_or_default()
    }

    /// The process's resident memory, in KiB.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory that the process has had, in KiB.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }

    fn proc(&self, file: &str) -> Option<String> {
        let id = self.child.lock().unwrap().as_ref()?.id();
        std::fs::read_to_string(format!("/proc/{id}/{file}")).ok()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
