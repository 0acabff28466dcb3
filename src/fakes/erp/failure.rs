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
    /// A page of HTML with HTTP 200; nothing was inserted.
    DatabaseError,
    /// A page of HTML with HTTP 200, after the record was inserted.
    InsertThenHtml,
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
    /// HTTP 307 to this address: whoever follows repeats the request there, password and all.
    Redirect(String),
    /// Any status and body; nothing was inserted.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}
