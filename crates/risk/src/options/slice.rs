//! Placeholder.
pub struct X;
