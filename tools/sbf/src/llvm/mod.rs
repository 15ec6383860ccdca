//! A thin layer over the LLVM C interface, so that the lowering passes read as ordinary Rust.
//!
//! **The one rule that makes it sound.** Every handle ([`Context`], [`Module`], [`Value`],
//! [`Type`], [`Builder`], [`Machine`]) points into an LLVM context that is never disposed: the
//! linker is a process that handles one program and ends. A handle is therefore valid from its
//! creation on, with one exception: a value that was erased ([`Value::erase`],
//! [`Value::delete_function`]) must not be used again. Handles are not `Send`, so they stay on the
//! thread that owns their context. The comment "SAFETY: live handle" refers to this paragraph.
//!
//! The functions of LLVM itself come from the compiler's own `libLLVM`, found at run time by
//! `aya-rustc-llvm-proxy`; nothing is linked at build time.

mod builder;
mod machine;
mod value;

pub use builder::Builder;
pub use llvm_sys::{
    LLVMIntPredicate as IntPredicate, LLVMLinkage as Linkage, LLVMOpcode as Opcode,
};
pub use machine::Machine;
pub use value::{Type, TypeKind, Value};

use anyhow::{Result, bail};
use llvm_sys::prelude::{LLVMContextRef, LLVMDiagnosticInfoRef, LLVMModuleRef};
use llvm_sys::{LLVMDiagnosticSeverity, analysis, bit_reader, core, debuginfo, ir_reader, linker};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;

/// A string for C. LLVM names hold no NUL; one that did would be cut at it.
pub(crate) fn c_string(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().take_while(|&byte| byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// Takes over a message that LLVM allocated.
fn take_message(message: *mut c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: LLVM hands out NUL-terminated messages that the receiver disposes of, once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        core::LLVMDisposeMessage(message);
        text
    }
}

/// What LLVM reported while it worked on one context.
#[derive(Debug, Default)]
pub struct Diagnostics(RefCell<Vec<String>>);

impl Diagnostics {
    /// All errors so far, each once, sorted.
    pub fn errors(&self) -> Vec<String> {
        let mut errors = self.0.borrow().clone();
        errors.sort();
        errors.dedup();
        errors
    }
}

/// Which diagnostics fail the link.
///
/// Every error does, "only small returns supported" above all: LLVM reports it and then compiles
/// the operation to something else. The one exception is "A call to built-in function", which
/// complains about a call that is emitted correctly. Of the warnings, an exceeded stack frame
/// fails the link too: the virtual machine would stop the program there.
fn is_fatal(severity: LLVMDiagnosticSeverity, text: &str) -> bool {
    match severity {
        LLVMDiagnosticSeverity::LLVMDSError => !text.contains("A call to built-in function"),
        LLVMDiagnosticSeverity::LLVMDSWarning => text.contains("stack limit"),
        _ => false,
    }
}

extern "C" fn on_diagnostic(info: LLVMDiagnosticInfoRef, diagnostics: *mut c_void) {
    // SAFETY: LLVM calls this with a live `info` and the pointer given in `Context::new`, which
    // is a leaked `Diagnostics` that only this thread uses.
    let (severity, text, diagnostics) = unsafe {
        (
            core::LLVMGetDiagInfoSeverity(info),
            take_message(core::LLVMGetDiagInfoDescription(info)),
            &*diagnostics.cast::<Diagnostics>(),
        )
    };
    if is_fatal(severity, &text) {
        diagnostics.0.borrow_mut().push(text);
    }
}

/// An LLVM context and what it reported.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    raw: LLVMContextRef,
    diagnostics: &'static Diagnostics,
}

impl Context {
    pub fn new() -> Self {
        let diagnostics: &'static Diagnostics = Box::leak(Box::default());
        // SAFETY: a fresh context; the handler's argument lives as long as the process.
        let raw = unsafe {
            let raw = core::LLVMContextCreate();
            let argument = ptr::from_ref(diagnostics).cast_mut().cast::<c_void>();
            core::LLVMContextSetDiagnosticHandler(raw, Some(on_diagnostic), argument);
            raw
        };
        Self { raw, diagnostics }
    }

    pub fn diagnostics(self) -> &'static Diagnostics {
        self.diagnostics
    }

    pub fn empty_module(self, name: &str) -> Module {
        // SAFETY: live handle.
        let raw =
            unsafe { core::LLVMModuleCreateWithNameInContext(c_string(name).as_ptr(), self.raw) };
        Module { raw, context: self }
    }

    pub fn parse_bitcode(self, name: &str, bitcode: &[u8]) -> Result<Module> {
        let mut raw = ptr::null_mut();
        // SAFETY: live handle; the buffer copies the bytes and is disposed of after use.
        let failed = unsafe {
            let data = bitcode.as_ptr().cast::<c_char>();
            let buffer = core::LLVMCreateMemoryBufferWithMemoryRangeCopy(
                data,
                bitcode.len(),
                c_string(name).as_ptr(),
            );
            let failed = bit_reader::LLVMParseBitcodeInContext2(self.raw, buffer, &mut raw);
            core::LLVMDisposeMemoryBuffer(buffer);
            failed != 0
        };
        if failed {
            bail!(
                "{name} is not readable bitcode: {:?}",
                self.diagnostics.errors()
            );
        }
        Ok(Module { raw, context: self })
    }

    pub fn parse_ir(self, name: &str, text: &str) -> Result<Module> {
        let mut raw = ptr::null_mut();
        let mut message = ptr::null_mut();
        // SAFETY: live handle; the buffer copies the bytes and is disposed of after use.
        let failed = unsafe {
            let buffer = core::LLVMCreateMemoryBufferWithMemoryRangeCopy(
                text.as_ptr().cast::<c_char>(),
                text.len(),
                c_string(name).as_ptr(),
            );
            let failed = ir_reader::LLVMParseIRInContext2(self.raw, buffer, &mut raw, &mut message);
            core::LLVMDisposeMemoryBuffer(buffer);
            failed != 0
        };
        if failed {
            bail!("{name}: {}", take_message(message));
        }
        Ok(Module { raw, context: self })
    }
}

/// An LLVM module.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    raw: LLVMModuleRef,
    context: Context,
}

impl Module {
    pub fn context(self) -> Context {
        self.context
    }

    /// Moves everything of `other`, which must not be used again, into this module.
    pub fn link_in(self, other: Module) -> Result<()> {
        // SAFETY: live handles of one context; `other` is consumed.
        if unsafe { linker::LLVMLinkModules2(self.raw, other.raw) } != 0 {
            bail!("{}", self.context.diagnostics.errors().join("\n"));
        }
        Ok(())
    }

    /// Gives this module the target and the data layout of `other`.
    pub fn copy_target_of(self, other: Module) {
        // SAFETY: live handles; LLVM copies both strings.
        unsafe {
            core::LLVMSetTarget(self.raw, core::LLVMGetTarget(other.raw));
            core::LLVMSetDataLayout(self.raw, core::LLVMGetDataLayoutStr(other.raw));
        }
    }

    pub fn duplicate(self) -> Module {
        // SAFETY: live handle.
        let raw = unsafe { core::LLVMCloneModule(self.raw) };
        Module {
            raw,
            context: self.context,
        }
    }

    pub fn clear_inline_assembly(self) {
        // SAFETY: live handle; the length is zero, so the pointer is not read.
        unsafe { core::LLVMSetModuleInlineAsm2(self.raw, c"".as_ptr(), 0) };
    }

    pub fn strip_debug_info(self) {
        // SAFETY: live handle.
        unsafe { debuginfo::LLVMStripModuleDebugInfo(self.raw) };
    }

    /// Fails, naming the step, when the module breaks the rules of LLVM's intermediate form.
    pub fn verify(self, after: &str) -> Result<()> {
        let mut message = ptr::null_mut();
        let action = analysis::LLVMVerifierFailureAction::LLVMReturnStatusAction;
        // SAFETY: live handle.
        let broken = unsafe { analysis::LLVMVerifyModule(self.raw, action, &mut message) != 0 };
        let message = take_message(message);
        if broken {
            bail!("the module is broken after {after}: {message}");
        }
        Ok(())
    }

    /// The module as text.
    pub fn print(self) -> String {
        // SAFETY: live handle.
        take_message(unsafe { core::LLVMPrintModuleToString(self.raw) })
    }

    pub fn functions(self) -> Vec<Value> {
        // SAFETY: live handle.
        let first = unsafe { core::LLVMGetFirstFunction(self.raw) };
        // SAFETY: live handle.
        value::chain(first, |raw| unsafe { core::LLVMGetNextFunction(raw) })
    }

    pub fn globals(self) -> Vec<Value> {
        // SAFETY: live handle.
        let first = unsafe { core::LLVMGetFirstGlobal(self.raw) };
        // SAFETY: live handle.
        value::chain(first, |raw| unsafe { core::LLVMGetNextGlobal(raw) })
    }

    pub fn aliases(self) -> Vec<Value> {
        // SAFETY: live handle.
        let first = unsafe { core::LLVMGetFirstGlobalAlias(self.raw) };
        // SAFETY: live handle.
        value::chain(first, |raw| unsafe { core::LLVMGetNextGlobalAlias(raw) })
    }

    pub fn function(self, name: &str) -> Option<Value> {
        // SAFETY: live handle.
        Value::new(unsafe { core::LLVMGetNamedFunction(self.raw, c_string(name).as_ptr()) })
    }

    pub fn add_function(self, name: &str, ty: Type) -> Value {
        // SAFETY: live handles.
        let raw = unsafe { core::LLVMAddFunction(self.raw, c_string(name).as_ptr(), ty.raw()) };
        Value::from_raw(raw)
    }
}

/// The numeric kind of an attribute such as `memory`.
pub(crate) fn attribute_kind(name: &str) -> u32 {
    // SAFETY: the pointer and the length describe `name`.
    unsafe { core::LLVMGetEnumAttributeKindForName(name.as_ptr().cast::<c_char>(), name.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_returns_error_is_never_ignored() {
        let error = LLVMDiagnosticSeverity::LLVMDSError;
        assert!(is_fatal(
            error,
            "in function f: only small returns supported"
        ));
        assert!(is_fatal(error, "anything else"));
    }

    #[test]
    fn an_exceeded_frame_fails_whatever_its_severity() {
        let text = "in function f: Looks like the BPF stack limit is exceeded.";
        assert!(is_fatal(LLVMDiagnosticSeverity::LLVMDSWarning, text));
        assert!(is_fatal(LLVMDiagnosticSeverity::LLVMDSError, text));
    }

    #[test]
    fn the_harmless_call_message_passes() {
        let text = "in function f: A call to built-in function 'memcpy' is not supported.";
        assert!(!is_fatal(LLVMDiagnosticSeverity::LLVMDSError, text));
    }

    #[test]
    fn broken_text_is_an_error_not_a_crash() {
        assert!(Context::new().parse_ir("t", "define nonsense").is_err());
        assert!(Context::new().parse_bitcode("t", b"not bitcode!").is_err());
    }
}
