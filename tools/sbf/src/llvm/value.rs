//! Values (functions, globals, instructions, constants) and types.

use super::{Context, Linkage, Opcode, attribute_kind, c_string};
use llvm_sys::core;
use llvm_sys::prelude::{LLVMTypeRef, LLVMValueRef};
use llvm_sys::{LLVMAttributeFunctionIndex, LLVMTypeKind, LLVMVisibility};
use std::ptr;

/// Follows one of LLVM's linked lists. The list is read out before anything is changed.
pub(super) fn chain(
    first: LLVMValueRef,
    next: impl Fn(LLVMValueRef) -> LLVMValueRef,
) -> Vec<Value> {
    let mut values = Vec::new();
    let mut current = first;
    while !current.is_null() {
        values.push(Value(current));
        current = next(current);
    }
    values
}

/// A function, global, instruction, argument or constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value(LLVMValueRef);

// Anything may be asked of any value that exists.
impl Value {
    pub(super) fn new(raw: LLVMValueRef) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    pub(super) fn from_raw(raw: LLVMValueRef) -> Self {
        Self(raw)
    }

    pub(super) fn raw(self) -> LLVMValueRef {
        self.0
    }

    pub fn name(self) -> String {
        let mut length = 0;
        // SAFETY: live handle; LLVM returns a pointer to `length` bytes.
        let bytes = unsafe {
            let data = core::LLVMGetValueName2(self.0, &mut length);
            std::slice::from_raw_parts(data.cast::<u8>(), length)
        };
        String::from_utf8_lossy(bytes).into_owned()
    }

    pub fn set_name(self, name: &str) {
        let name = c_string(name);
        // SAFETY: live handle.
        unsafe { core::LLVMSetValueName2(self.0, name.as_ptr(), name.as_bytes().len()) };
    }

    pub fn ty(self) -> Type {
        // SAFETY: live handle.
        Type(unsafe { core::LLVMTypeOf(self.0) })
    }

    pub fn replace_all_uses_with(self, other: Value) {
        // SAFETY: live handles.
        unsafe { core::LLVMReplaceAllUsesWith(self.0, other.0) };
    }

    pub fn is_function(self) -> bool {
        // SAFETY: live handle.
        !unsafe { core::LLVMIsAFunction(self.0) }.is_null()
    }

    pub fn is_inline_assembly(self) -> bool {
        // SAFETY: live handle.
        !unsafe { core::LLVMIsAInlineAsm(self.0) }.is_null()
    }

    pub fn is_constant_int(self) -> bool {
        // SAFETY: live handle.
        !unsafe { core::LLVMIsAConstantInt(self.0) }.is_null()
    }

    pub fn is_zero_extension(self) -> bool {
        // SAFETY: live handle.
        !unsafe { core::LLVMIsAZExtInst(self.0) }.is_null()
    }

    pub fn truncated_constant(self, ty: Type) -> Value {
        // SAFETY: live handles.
        Value(unsafe { core::LLVMConstTrunc(self.0, ty.0) })
    }
}

/// Functions and globals.
impl Value {
    pub fn is_declaration(self) -> bool {
        // SAFETY: live handle.
        unsafe { core::LLVMIsDeclaration(self.0) != 0 }
    }

    pub fn linkage(self) -> Linkage {
        // SAFETY: live handle.
        unsafe { core::LLVMGetLinkage(self.0) }
    }

    /// Sets the linkage, and the visibility to the default: LLVM rejects hidden internals.
    pub fn set_linkage(self, linkage: Linkage) {
        // SAFETY: live handle.
        unsafe {
            core::LLVMSetLinkage(self.0, linkage);
            core::LLVMSetVisibility(self.0, LLVMVisibility::LLVMDefaultVisibility);
        }
    }

    pub fn function_type(self) -> Type {
        // SAFETY: live handle.
        Type(unsafe { core::LLVMGlobalGetValueType(self.0) })
    }

    pub fn parameters(self) -> Vec<Value> {
        // SAFETY: live handle; the index is below the count.
        unsafe {
            (0..core::LLVMCountParams(self.0))
                .map(|index| Value(core::LLVMGetParam(self.0, index)))
                .collect()
        }
    }

    /// All instructions of a function, in order.
    pub fn instructions(self) -> Vec<Value> {
        let mut all = Vec::new();
        // SAFETY: live handle; blocks and instructions belong to it.
        unsafe {
            let mut block = core::LLVMGetFirstBasicBlock(self.0);
            while !block.is_null() {
                let first = core::LLVMGetFirstInstruction(block);
                all.extend(chain(first, |raw| core::LLVMGetNextInstruction(raw)));
                block = core::LLVMGetNextBasicBlock(block);
            }
        }
        all
    }

    /// Where a function's stack slots go. `None` for a declaration.
    pub fn first_instruction(self) -> Option<Value> {
        if self.is_declaration() {
            return None;
        }
        // SAFETY: live handle of a definition, which has an entry block.
        Value::new(unsafe { core::LLVMGetFirstInstruction(core::LLVMGetEntryBasicBlock(self.0)) })
    }

    /// Moves the whole body of a function into this, still empty, one.
    pub fn take_body_of(self, other: Value) {
        // SAFETY: live handles; every block is unlinked before it is appended.
        unsafe {
            let mut block = core::LLVMGetFirstBasicBlock(other.0);
            while !block.is_null() {
                let next = core::LLVMGetNextBasicBlock(block);
                core::LLVMRemoveBasicBlockFromParent(block);
                core::LLVMAppendExistingBasicBlock(self.0, block);
                block = next;
            }
        }
    }

    pub fn delete_function(self) {
        // SAFETY: live handle, not used again by the contract of this module.
        unsafe { core::LLVMDeleteFunction(self.0) };
    }

    /// Copies linkage, calling convention and attributes of a function, except `skipped`.
    pub fn copy_traits_of(self, other: Value, skipped: &str) {
        let skipped = attribute_kind(skipped);
        // SAFETY: live handles; the array has as many places as LLVM fills.
        unsafe {
            core::LLVMSetLinkage(self.0, core::LLVMGetLinkage(other.0));
            core::LLVMSetFunctionCallConv(self.0, core::LLVMGetFunctionCallConv(other.0));
            let count = core::LLVMGetAttributeCountAtIndex(other.0, LLVMAttributeFunctionIndex);
            let mut attributes = vec![ptr::null_mut(); count as usize];
            core::LLVMGetAttributesAtIndex(
                other.0,
                LLVMAttributeFunctionIndex,
                attributes.as_mut_ptr(),
            );
            for attribute in attributes {
                let is_skipped = core::LLVMIsEnumAttribute(attribute) != 0
                    && core::LLVMGetEnumAttributeKind(attribute) == skipped;
                if !is_skipped {
                    core::LLVMAddAttributeAtIndex(self.0, LLVMAttributeFunctionIndex, attribute);
                }
            }
        }
    }

    /// Removes an attribute from every parameter of a function.
    pub fn remove_parameter_attribute(self, name: &str) {
        let kind = attribute_kind(name);
        // SAFETY: live handle; attribute indices of parameters start at one.
        unsafe {
            for index in 1..=core::LLVMCountParams(self.0) {
                core::LLVMRemoveEnumAttributeAtIndex(self.0, index, kind);
            }
        }
    }
}

/// Instructions.
impl Value {
    pub fn opcode(self) -> Opcode {
        // SAFETY: live handle of an instruction.
        unsafe { core::LLVMGetInstructionOpcode(self.0) }
    }

    pub fn is_call(self) -> bool {
        self.opcode() == Opcode::LLVMCall
    }

    pub fn operand(self, index: u32) -> Value {
        // SAFETY: live handle; callers ask for operands that the opcode has.
        Value(unsafe { core::LLVMGetOperand(self.0, index) })
    }

    /// What a call calls: a function, a pointer held in a value, or inline assembly.
    pub fn callee(self) -> Value {
        // SAFETY: live handle of a call.
        Value(unsafe { core::LLVMGetCalledValue(self.0) })
    }

    /// The name of the function that a call calls directly.
    pub fn callee_name(self) -> Option<String> {
        let callee = self.callee();
        callee.is_function().then(|| callee.name())
    }

    pub fn called_type(self) -> Type {
        // SAFETY: live handle of a call.
        Type(unsafe { core::LLVMGetCalledFunctionType(self.0) })
    }

    pub fn arguments(self) -> Vec<Value> {
        // SAFETY: live handle of a call; the index is below the count.
        unsafe {
            (0..core::LLVMGetNumArgOperands(self.0))
                .map(|index| Value(core::LLVMGetOperand(self.0, index)))
                .collect()
        }
    }

    pub fn copy_call_convention_of(self, other: Value) {
        // SAFETY: live handles of calls.
        unsafe {
            let convention = core::LLVMGetInstructionCallConv(other.0);
            core::LLVMSetInstructionCallConv(self.0, convention);
        }
    }

    pub fn copy_call_convention_of_function(self, function: Value) {
        // SAFETY: live handles of a call and of a function.
        unsafe {
            let convention = core::LLVMGetFunctionCallConv(function.0);
            core::LLVMSetInstructionCallConv(self.0, convention);
        }
    }

    /// Removes an attribute from every argument of a call.
    pub fn remove_argument_attribute(self, name: &str) {
        let kind = attribute_kind(name);
        // SAFETY: live handle of a call; attribute indices of arguments start at one.
        unsafe {
            for index in 1..=core::LLVMGetNumArgOperands(self.0) {
                core::LLVMRemoveCallSiteEnumAttribute(self.0, index, kind);
            }
        }
    }

    pub fn erase(self) {
        // SAFETY: live handle, not used again by the contract of this module.
        unsafe { core::LLVMInstructionEraseFromParent(self.0) };
    }

    /// Puts `replacement` in the place of an instruction.
    pub fn become_value(self, replacement: Value) {
        self.replace_all_uses_with(replacement);
        self.erase();
    }
}

/// The kinds of type that the lowering tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    Void,
    /// An integer and its width in bits.
    Integer(u32),
    Struct(Vec<Type>),
    /// An array: element and length.
    Array(Type, u64),
    /// `f32`.
    Float,
    /// `f64`.
    Double,
    Other,
}

/// An LLVM type. Types are unique within a context, so equality means sameness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type(LLVMTypeRef);

impl Type {
    pub(super) fn raw(self) -> LLVMTypeRef {
        self.0
    }

    pub fn kind(self) -> TypeKind {
        // SAFETY: live handle; each question is asked of the kind of type that answers it.
        unsafe {
            match core::LLVMGetTypeKind(self.0) {
                LLVMTypeKind::LLVMVoidTypeKind => TypeKind::Void,
                LLVMTypeKind::LLVMIntegerTypeKind => {
                    TypeKind::Integer(core::LLVMGetIntTypeWidth(self.0))
                }
                LLVMTypeKind::LLVMStructTypeKind => TypeKind::Struct(
                    (0..core::LLVMCountStructElementTypes(self.0))
                        .map(|index| Type(core::LLVMStructGetTypeAtIndex(self.0, index)))
                        .collect(),
                ),
                LLVMTypeKind::LLVMArrayTypeKind => TypeKind::Array(
                    Type(core::LLVMGetElementType(self.0)),
                    core::LLVMGetArrayLength2(self.0),
                ),
                LLVMTypeKind::LLVMFloatTypeKind => TypeKind::Float,
                LLVMTypeKind::LLVMDoubleTypeKind => TypeKind::Double,
                _ => TypeKind::Other,
            }
        }
    }

    /// The width of an integer type.
    pub fn integer_width(self) -> Option<u32> {
        match self.kind() {
            TypeKind::Integer(width) => Some(width),
            _ => None,
        }
    }

    pub fn is_variadic(self) -> bool {
        // SAFETY: live handle of a function type.
        unsafe { core::LLVMIsFunctionVarArg(self.0) != 0 }
    }

    pub fn return_type(self) -> Type {
        // SAFETY: live handle of a function type.
        Type(unsafe { core::LLVMGetReturnType(self.0) })
    }

    pub fn parameter_types(self) -> Vec<Type> {
        // SAFETY: live handle of a function type; the array has as many places as LLVM fills.
        unsafe {
            let mut types = vec![ptr::null_mut(); core::LLVMCountParamTypes(self.0) as usize];
            core::LLVMGetParamTypes(self.0, types.as_mut_ptr());
            types.into_iter().map(Type).collect()
        }
    }

    /// The constant `value` of this integer type, zero-extended.
    pub fn constant(self, value: u64) -> Value {
        // SAFETY: live handle of an integer type.
        Value(unsafe { core::LLVMConstInt(self.0, value, 0) })
    }
}

/// Types of a context.
impl Context {
    pub fn void(self) -> Type {
        // SAFETY: live handle.
        Type(unsafe { core::LLVMVoidTypeInContext(self.raw) })
    }

    pub fn integer(self, bits: u32) -> Type {
        // SAFETY: live handle.
        Type(unsafe { core::LLVMIntTypeInContext(self.raw, bits) })
    }

    pub fn pointer(self) -> Type {
        // SAFETY: live handle.
        Type(unsafe { core::LLVMPointerTypeInContext(self.raw, 0) })
    }

    pub fn structure(self, fields: &[Type]) -> Type {
        let mut raw: Vec<LLVMTypeRef> = fields.iter().map(|field| field.0).collect();
        // SAFETY: live handles; LLVM copies the array.
        Type(unsafe {
            core::LLVMStructTypeInContext(self.raw, raw.as_mut_ptr(), raw.len() as u32, 0)
        })
    }

    pub fn function_type(self, result: Type, parameters: &[Type]) -> Type {
        let mut raw: Vec<LLVMTypeRef> = parameters.iter().map(|parameter| parameter.0).collect();
        // SAFETY: live handles; LLVM copies the array.
        Type(unsafe { core::LLVMFunctionType(result.0, raw.as_mut_ptr(), raw.len() as u32, 0) })
    }
}
