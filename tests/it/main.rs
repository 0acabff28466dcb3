//! Tests of the service from its edges. One binary: linking is most of what a test binary costs.
#[cfg(test)]
mod amocrm;
#[cfg(test)]
mod erp;
