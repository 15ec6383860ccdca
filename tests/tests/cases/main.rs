//! Behaviour of the compiled program, one module per subject.

mod trading;
