//! A reader of compiled system call filters, apart from what compiles them.

/// `struct sock_filter`.
#[derive(Clone, Copy, Debug)]
pub struct Instruction {
    pub code: u16,
    pub jump_true: u8,
    pub jump_false: u8,
    pub constant: u32,
}

/// Reads what the kernel is given: eight bytes an instruction.
#[allow(dead_code)]
pub fn read(bytes: &[u8]) -> Vec<Instruction> {
    let read = |bytes: &[u8]| Instruction {
        code: u16::from_le_bytes([bytes[0], bytes[1]]),
        jump_true: bytes[2],
        jump_false: bytes[3],
        constant: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    };
    bytes.chunks_exact(8).map(read).collect()
}

/// Runs a filter as the kernel would. Panics where the kernel would have refused to load it.
pub fn evaluate(program: &[Instruction], arch: u32, number: u32, arguments: &[u64; 6]) -> u32 {
    let mut data = Vec::with_capacity(64);
    data.extend_from_slice(&number.to_le_bytes());
    data.extend_from_slice(&arch.to_le_bytes());
    data.extend_from_slice(&0u64.to_le_bytes());
    for argument in arguments {
        data.extend_from_slice(&argument.to_le_bytes());
    }
    let mut at = 0;
    let mut accumulator = 0u32;
    loop {
        let Instruction {
            code,
            jump_true,
            jump_false,
            constant,
        } = program[at];
        at += 1;
        let jump = |holds: bool| usize::from(if holds { jump_true } else { jump_false });
        match code {
            0x20 => {
                let offset = constant as usize;
                assert_eq!(offset % 4, 0);
                let word: [u8; 4] = data[offset..offset + 4].try_into().expect("four bytes");
                accumulator = u32::from_le_bytes(word);
            }
            0x54 => accumulator &= constant,
            0x05 => at += constant as usize,
            0x15 => at += jump(accumulator == constant),
            0x25 => at += jump(accumulator > constant),
            0x35 => at += jump(accumulator >= constant),
            0x45 => at += jump(accumulator & constant != 0),
            0x06 => return constant,
            other => panic!("instruction {other:#x} at {}", at - 1),
        }
    }
}
