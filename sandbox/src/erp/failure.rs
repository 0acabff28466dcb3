/// What the ERP does in place of answering a request as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErpFailure {
    /// HTTP 503, with `Retry-After` where given.
    Unavailable {
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// HTTP 502 from the proxy in front; nothing was inserted.
    BadGateway,
    /// HTTP 502 from the proxy in front, after the record was inserted.
    InsertThenBadGateway,
    /// No answer; nothing was inserted.
    Hang,
    /// No answer, after the record was inserted.
    InsertThenHang,
    /// No answer; the record appears later, with [`FakeErp::finish_late_inserts`](super::FakeErp).
    HangThenInsert,
    /// The page of a query that failed, with HTTP 200; nothing was inserted. It quotes the record.
    DatabaseError,
    /// The page of a query that failed, with HTTP 200, after the record was inserted. It quotes the record.
    InsertThenHtml,
    /// The page of an ERP that cannot reach its database, with HTTP 200.
    NoDatabase,
    /// HTTP 500 without a body; nothing was inserted.
    Empty500,
    /// HTTP 500 without a body, after the record was inserted.
    InsertThenEmpty500,
    /// `status: error` with this code and text.
    Error {
        /// `error_code`; a number or a word.
        code: String,
        /// `error_message`.
        message: String,
    },
    /// HTTP 307 to this address: a client that follows it repeats the request there, with the password.
    Redirect(String),
    /// Any status and body; nothing was inserted.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Any status and body, after the record was inserted: Apache answers 503 when a worker is killed then.
    InsertThenAnswer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}
