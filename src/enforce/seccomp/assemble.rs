//! Writes classic BPF from its end to its beginning, so that the target of every jump is known
//! when the jump is written: BPF jumps forward only.

use super::Instruction;

/// `BPF_LD | BPF_W | BPF_ABS`
const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`
const AND: u16 = 0x54;
/// `BPF_JMP | BPF_JA`
const GO: u16 = 0x05;
/// `BPF_RET | BPF_K`
pub(super) const RETURN: u16 = 0x06;

/// A comparison with a constant.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(super) enum Compare {
    /// `BPF_JMP | BPF_JEQ | BPF_K`
    Equal = 0x15,
    /// `BPF_JMP | BPF_JGE | BPF_K`
    AtLeast = 0x35,
}

/// A place in the program, counted from its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Place {
    /// The instruction that follows the one here.
    pub(super) fn next(self) -> Place {
        Place(self.0 - 1)
    }
}

/// A conditional jump holds its distance in 8 bits; two less, for the detours it may need itself.
const REACH: usize = 253;

/// A program under construction.
pub(super) struct Assembler {
    backwards: Vec<Instruction>,
    returns: Vec<(u32, Place)>,
}

impl Assembler {
    pub(super) fn new() -> Assembler {
        Assembler {
            backwards: Vec::with_capacity(512),
            returns: Vec::with_capacity(16),
        }
    }

    /// The whole program, first instruction first.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.backwards.reverse();
        self.backwards
    }

    /// A return of this value that a jump written next can reach.
    pub(super) fn give(&mut self, value: u32) -> Place {
        let end = self.backwards.len();
        let known = self.returns.iter_mut().find(|(of, _)| *of == value);
        match known {
            // Half the reach, so that it stays in reach while more is written.
            Some((_, place)) if end - place.0 <= REACH / 2 => *place,
            Some((_, place)) => {
                *place = Place(end);
                self.write(RETURN, 0, 0, value)
            }
            None => {
                self.returns.push((value, Place(end)));
                self.write(RETURN, 0, 0, value)
            }
        }
    }

    /// Loads 32 bits of the kernel's `struct seccomp_data`.
    pub(super) fn load(&mut self, offset: u32) -> Place {
        self.write(LOAD, 0, 0, offset)
    }

    /// Clears all bits but those of `mask`.
    pub(super) fn and(&mut self, mask: u32) -> Place {
        self.write(AND, 0, 0, mask)
    }

    /// Compares, and goes on at `yes` or `no`.
    pub(super) fn branch(&mut self, how: Compare, with: u32, yes: Place, no: Place) -> Place {
        let yes = self.within_reach(yes);
        let no = self.within_reach(no);
        let end = self.backwards.len();
        self.write(
            how as u16,
            (end - yes.0 - 1) as u8,
            (end - no.0 - 1) as u8,
            with,
        )
    }

    /// What is written next runs into `place`, by a jump where that is not the instruction after.
    pub(super) fn fall_to(&mut self, place: Place) {
        let end = self.backwards.len();
        if place.0 + 1 != end {
            self.write(GO, 0, 0, (end - place.0 - 1) as u32);
        }
    }

    fn within_reach(&mut self, place: Place) -> Place {
        let end = self.backwards.len();
        if end - place.0 - 1 <= REACH {
            return place;
        }
        let target = self.backwards[place.0];
        if target.code == RETURN {
            return self.give(target.constant);
        }
        self.write(GO, 0, 0, (end - place.0 - 1) as u32)
    }

    fn write(&mut self, code: u16, jump_true: u8, jump_false: u8, constant: u32) -> Place {
        self.backwards.push(Instruction {
            code,
            jump_true,
            jump_false,
            constant,
        });
        Place(self.backwards.len() - 1)
    }
}
