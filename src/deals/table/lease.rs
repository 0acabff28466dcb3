use std::time::Duration;

/// How long a claim holds, and how long the outcome of its call stays open if it never reports back.
#[derive(Debug, Clone, Copy)]
pub(in crate::deals) struct Lease {
    /// No other claim is granted for this long. Longer than one call of the ERP can take.
    pub(in crate::deals) holds: Duration,
    /// A look-up sooner than this proves nothing.
    pub(in crate::deals) look_after: Duration,
    /// A deal that begins with this claim is sent again after so long, unless something is heard of it.
    pub(in crate::deals) resend_after: Duration,
}
