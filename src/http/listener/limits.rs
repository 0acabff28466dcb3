use std::time::Duration;

/// What those who call may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once. When they are all taken, a new one takes the place of one that waits for its client: the
    /// longest-waiting one of the client that has most.
    pub connections: usize,
    /// From the connection to the end of its first request's head.
    pub head: Duration,
    /// From the end of a request's head to the end of its body.
    pub body: Duration,
    /// From an answer to the end of the next request's head.
    pub idle: Duration,
}

impl Limits {
    /// Of the public listener in a process that may open so many descriptors (`ulimit -n`). The rest is for the database,
    /// for calls to the outside and for the admin listener.
    pub fn public(descriptors: usize) -> Self {
        Self {
            connections: (descriptors / 2).min(512),
            head: Duration::from_secs(10),
            body: Duration::from_secs(15),
            // Longer than common proxies keep a connection that they do not use: one that we close first could lose a
            // request that is just being sent.
            idle: Duration::from_secs(150),
        }
    }

    /// Of the admin listener in such a process.
    pub fn admin(descriptors: usize) -> Self {
        Self { connections: (descriptors / 16).min(64), ..Self::public(descriptors) }
    }
}
