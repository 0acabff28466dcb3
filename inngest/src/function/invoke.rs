use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Function;
use crate::{Invoke, Step};

impl<'a> Step<'a> {
    /// Runs another function of this app with `data`, waits for its end and returns its result.
    ///
    /// When that run fails, so does the step. When it takes too long, the step fails with the name
    /// `InngestInvokeTimeoutError` (P-108). A result that is no `F::Output` is an error with the name
    /// `UnexpectedResult`.
    pub fn invoke<F>(self, id: &str, data: &F::Event) -> Invoke<'a, F::Output>
    where
        F: Function,
        F::Event: Serialize,
        F::Output: DeserializeOwned,
    {
        let function_id = format!("{}-{}", self.app_id(), F::config().id);
        self.invoke_id(id, function_id, data)
    }
}
