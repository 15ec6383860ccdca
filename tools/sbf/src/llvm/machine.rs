//! The BPF back end: passes and code generation.

use super::{Module, c_string, take_message};
use anyhow::{Context as _, Result, bail};
use llvm_sys::prelude::LLVMMemoryBufferRef;
use llvm_sys::target_machine::{
    self, LLVMCodeGenFileType, LLVMCodeGenOptLevel, LLVMCodeModel, LLVMRelocMode,
    LLVMTargetMachineRef,
};
use llvm_sys::transforms::pass_builder;
use llvm_sys::{core, error, support, target};
use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Once;

/// The largest stack frame that the virtual machine grants a function.
pub const MAX_FRAME_BYTES: u32 = 4_096;

const TRIPLE: &CStr = c"bpfel";
/// Version 2 has the unsigned and signed less-than jumps that SBPF v0 knows, and nothing more.
const CPU: &CStr = c"v2";
const FEATURES: &CStr = c"+allows-misaligned-mem-access";

/// A configured BPF back end.
#[derive(Clone, Copy, Debug)]
pub struct Machine(LLVMTargetMachineRef);

/// Registers the back end and sets its options: both are global to the process.
fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let stack_size = format!("-bpf-stack-size={MAX_FRAME_BYTES}");
        let options = [
            "keel-sbf-ld",
            &stack_size,
            "-bpf-disable-serialize-icmp",
            "-bpf-disable-avoid-speculation",
            "-bpf-expand-memcpy-in-order=false",
        ]
        .map(c_string);
        let pointers: Vec<*const c_char> = options.iter().map(|text| text.as_ptr()).collect();
        // SAFETY: runs once; the arrays outlive the call, which copies the options.
        unsafe {
            target::LLVMInitializeBPFTarget();
            target::LLVMInitializeBPFTargetMC();
            target::LLVMInitializeBPFTargetInfo();
            target::LLVMInitializeBPFAsmPrinter();
            target::LLVMInitializeBPFAsmParser();
            let count = pointers.len() as i32;
            support::LLVMParseCommandLineOptions(count, pointers.as_ptr(), c"".as_ptr());
        }
    });
}

impl Machine {
    pub fn bpf() -> Result<Self> {
        initialise();
        let mut target = ptr::null_mut();
        let mut message = ptr::null_mut();
        // SAFETY: the out pointers are valid; LLVM copies the strings.
        unsafe {
            if target_machine::LLVMGetTargetFromTriple(TRIPLE.as_ptr(), &mut target, &mut message)
                != 0
            {
                bail!(
                    "the compiler's LLVM has no BPF back end: {}",
                    take_message(message)
                );
            }
            let machine = target_machine::LLVMCreateTargetMachine(
                target,
                TRIPLE.as_ptr(),
                CPU.as_ptr(),
                FEATURES.as_ptr(),
                LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
                LLVMRelocMode::LLVMRelocStatic,
                LLVMCodeModel::LLVMCodeModelDefault,
            );
            (!machine.is_null())
                .then_some(Self(machine))
                .context("LLVM created no BPF target machine")
        }
    }

    /// Runs a pipeline in the syntax of `opt -passes=`.
    pub fn run_passes(self, module: Module, passes: &str) -> Result<()> {
        let pipeline: CString = c_string(passes);
        // SAFETY: live handles; the options are disposed of once.
        unsafe {
            let options = pass_builder::LLVMCreatePassBuilderOptions();
            let failure =
                pass_builder::LLVMRunPasses(module.raw, pipeline.as_ptr(), self.0, options);
            pass_builder::LLVMDisposePassBuilderOptions(options);
            if !failure.is_null() {
                let text = CStr::from_ptr(error::LLVMGetErrorMessage(failure));
                bail!("passes `{passes}`: {}", text.to_string_lossy());
            }
        }
        Ok(())
    }

    /// Generates a relocatable object. Its errors arrive as diagnostics of the context.
    pub fn object_file(self, module: Module) -> Result<Vec<u8>> {
        let mut buffer: LLVMMemoryBufferRef = ptr::null_mut();
        let mut message = ptr::null_mut();
        // SAFETY: live handles; the bytes are copied out before the buffer is disposed of.
        unsafe {
            let failed = target_machine::LLVMTargetMachineEmitToMemoryBuffer(
                self.0,
                module.raw,
                LLVMCodeGenFileType::LLVMObjectFile,
                &mut message,
                &mut buffer,
            ) != 0;
            if failed {
                bail!("code generation: {}", take_message(message));
            }
            let start = core::LLVMGetBufferStart(buffer).cast::<u8>();
            let bytes = std::slice::from_raw_parts(start, core::LLVMGetBufferSize(buffer)).to_vec();
            core::LLVMDisposeMemoryBuffer(buffer);
            Ok(bytes)
        }
    }
}
