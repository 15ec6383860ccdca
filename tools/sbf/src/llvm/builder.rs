//! Writing new instructions.

use super::value::{Type, Value};
use super::{Context, IntPredicate};
use llvm_sys::core;
use llvm_sys::prelude::{LLVMBuilderRef, LLVMValueRef};

const UNNAMED: *const std::ffi::c_char = c"".as_ptr();

/// A place in a function before which instructions are written.
#[derive(Clone, Copy, Debug)]
pub struct Builder(LLVMBuilderRef);

impl Builder {
    pub fn new(context: Context) -> Self {
        // SAFETY: live handle.
        Self(unsafe { core::LLVMCreateBuilderInContext(context.raw) })
    }

    pub fn position_before(self, instruction: Value) {
        // SAFETY: live handles.
        unsafe { core::LLVMPositionBuilderBefore(self.0, instruction.raw()) };
    }

    /// Gives a function, still empty, its first block, and writes there.
    pub fn start_body(self, context: Context, function: Value) {
        // SAFETY: live handles.
        unsafe {
            let block = core::LLVMAppendBasicBlockInContext(context.raw, function.raw(), UNNAMED);
            core::LLVMPositionBuilderAtEnd(self.0, block);
        }
    }

    pub fn compare(self, predicate: IntPredicate, left: Value, right: Value) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe {
            core::LLVMBuildICmp(self.0, predicate, left.raw(), right.raw(), UNNAMED)
        })
    }

    pub fn select(self, condition: Value, yes: Value, no: Value) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe {
            core::LLVMBuildSelect(self.0, condition.raw(), yes.raw(), no.raw(), UNNAMED)
        })
    }

    pub fn negate(self, value: Value) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildNeg(self.0, value.raw(), UNNAMED) })
    }

    pub fn xor(self, left: Value, right: Value) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildXor(self.0, left.raw(), right.raw(), UNNAMED) })
    }

    /// Any instruction with two integer operands.
    pub fn binary(self, opcode: super::Opcode, left: Value, right: Value) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe {
            core::LLVMBuildBinOp(self.0, opcode, left.raw(), right.raw(), UNNAMED)
        })
    }

    pub fn zero_extend(self, value: Value, ty: Type) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildZExt(self.0, value.raw(), ty.raw(), UNNAMED) })
    }

    pub fn sign_extend(self, value: Value, ty: Type) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildSExt(self.0, value.raw(), ty.raw(), UNNAMED) })
    }

    pub fn truncate(self, value: Value, ty: Type) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildTrunc(self.0, value.raw(), ty.raw(), UNNAMED) })
    }

    pub fn stack_slot(self, ty: Type) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildAlloca(self.0, ty.raw(), UNNAMED) })
    }

    pub fn load(self, ty: Type, from: Value) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildLoad2(self.0, ty.raw(), from.raw(), UNNAMED) })
    }

    pub fn store(self, value: Value, to: Value) {
        // SAFETY: live handles.
        unsafe { core::LLVMBuildStore(self.0, value.raw(), to.raw()) };
    }

    pub fn field_address(self, structure: Type, base: Value, index: usize) -> Value {
        // SAFETY: live handles; callers pass an index inside the structure.
        Value::from_raw(unsafe {
            core::LLVMBuildStructGEP2(self.0, structure.raw(), base.raw(), index as u32, UNNAMED)
        })
    }

    /// Calls `callee`, whose type is `ty`.
    pub fn call(self, ty: Type, callee: Value, arguments: &[Value]) -> Value {
        let mut raw: Vec<LLVMValueRef> = arguments.iter().map(|value| value.raw()).collect();
        // SAFETY: live handles; LLVM copies the array.
        Value::from_raw(unsafe {
            let count = raw.len() as u32;
            core::LLVMBuildCall2(
                self.0,
                ty.raw(),
                callee.raw(),
                raw.as_mut_ptr(),
                count,
                UNNAMED,
            )
        })
    }

    /// Calls a function by its own type.
    pub fn call_function(self, function: Value, arguments: &[Value]) -> Value {
        self.call(function.function_type(), function, arguments)
    }

    /// Reads the bits of a value as a value of another type of the same size.
    pub fn reinterpret(self, value: Value, ty: Type) -> Value {
        // SAFETY: live handles.
        Value::from_raw(unsafe { core::LLVMBuildBitCast(self.0, value.raw(), ty.raw(), UNNAMED) })
    }

    pub fn return_value(self, value: Value) {
        // SAFETY: live handles.
        unsafe { core::LLVMBuildRet(self.0, value.raw()) };
    }

    pub fn return_void(self) {
        // SAFETY: live handle.
        unsafe { core::LLVMBuildRetVoid(self.0) };
    }
}
