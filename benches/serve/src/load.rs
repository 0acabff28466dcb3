//! Sends requests, as many as a contestant takes or so many a second, and notes how long each answer took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::calls::Call;

/// No answer takes longer, not even that of a 1 MB call on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a load.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answers {
    /// How long each answer took.
    pub(crate) times: Vec<Duration>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

/// How requests are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Each request has a connection of its own.
    pub(crate) reconnect: bool,
    pub(crate) lasts: Duration,
}

/// Sends the same request over and over, on each connection as soon as the last answer has come.
pub(crate) async fn closed(port: u16, call: &Call, load: Load) -> Result<Answers> {
    let (request, status) = (call.bytes(port, load.reconnect), call.status);
    let started = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..load.connections {
        let request = request.clone();
        workers.spawn(async move {
            let mut times = Vec::new();
            let mut connection = None;
            while started.elapsed() < load.lasts {
                let begun = Instant::now();
                let mut open = match connection.take() {
                    Some(open) => open,
                    None => Connection::open(port).await?,
                };
                let answer = open.exchange(&request).await?;
                ensure!(answer.status == status, "answered {} instead of {status}", answer.status);
                times.push(begun.elapsed());
                if !load.reconnect {
                    connection = Some(open);
                }
            }
            anyhow::Ok(times)
        });
    }
    tokio::select! {
        answers = gather(workers, started) => answers,
        never = stay_awake() => never,
    }
}

/// Keeps this thread from going to sleep. The kernel charges waking it to the contestant that sends the answer: a few
/// microseconds, and the more often the slower it is.
async fn stay_awake() -> Result<Answers> {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Sends requests about one lead after another, at a steady rate, whether answers come or not. One that had to wait for a
/// connection counts from when it was due.
pub(crate) async fn paced(
    port: u16,
    a_second: u64,
    lasts: Duration,
    about: fn(lead: u64) -> Call,
) -> Result<Answers> {
    const CONNECTIONS: usize = 64;
    const FIRST_LEAD: u64 = 1000;
    let (started, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let all = a_second * lasts.as_secs();
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let next = Arc::clone(&next);
        workers.spawn(async move {
            let (mut times, mut open) = (Vec::new(), Connection::open(port).await?);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= all {
                    return anyhow::Ok(times);
                }
                let due = started + Duration::from_micros(number * 1_000_000 / a_second);
                sleep_until(due.into()).await;
                let request = about(FIRST_LEAD + number);
                let answer = open.exchange(&request.bytes(port, false)).await?;
                ensure!(answer.status == 200, "a request was answered {}", answer.status);
                times.push(due.elapsed());
            }
        });
    }
    gather(workers, started).await
}

async fn gather(mut workers: JoinSet<Result<Vec<Duration>>>, started: Instant) -> Result<Answers> {
    let mut times = Vec::new();
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    ensure!(!times.is_empty(), "no answer came");
    times.sort_unstable();
    Ok(Answers { times, elapsed: started.elapsed() })
}

/// Sends the request once, and looks whether its answer is what it must be.
pub(crate) async fn check(port: u16, call: &Call) -> Result<()> {
    let answer = Connection::open(port).await?.exchange(&call.bytes(port, false)).await?;
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(
        answer.status == call.status && body.contains(call.shows),
        "answered {} with {:.400}, where {} and {} were expected",
        answer.status,
        body,
        call.status,
        call.shows
    );
    Ok(())
}

struct Answer {
    status: u16,
    body: Bytes,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        timeout(PATIENCE, self.exchange_in_time(request)).await.context("no answer in time")?
    }

    async fn exchange_in_time(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed before the answer was whole");
            }
            if let Some(answer) = whole(&self.buffer)? {
                return Ok(answer);
            }
        }
    }
}

/// The answer, once all of it has come.
fn whole(bytes: &[u8]) -> Result<Option<Answer>> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
    let Some(end) = bytes.windows(END_OF_HEAD.len()).position(|four| four == END_OF_HEAD) else {
        return Ok(None);
    };
    let (head, body) = bytes.split_at(end + END_OF_HEAD.len());
    let head = std::str::from_utf8(head)?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let header = |wanted: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let complete = match header("content-length") {
        Some(length) => body.len() >= length.parse::<usize>()?,
        None => {
            ensure!(header("transfer-encoding") == Some("chunked"), "an answer without a length");
            body.ends_with(LAST_CHUNK)
        }
    };
    Ok(complete.then(|| Answer { status, body: Bytes::copy_from_slice(body) }))
}
