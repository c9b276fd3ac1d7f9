;; Vectors as text: printed as JSON's numbers, and decoded from base64. shared/vector-text.ts says what they are to be, and gives the
;; same bytes. Offsets in bytes; the caller sees to the room. Assembled by `node test/fixtures/assemble.ts`.
(module
  (memory (export "memory") 4)

  ;; float32 from $from to $end, each printed at $to with a comma behind it, at most 11 bytes; returns where the last one ends.
  (func (export "print") (param $from i32) (param $end i32) (param $to i32) (result i32)
    (local $bits i32) (local $scaled i32) (local $high i32) (local $digits i64)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $bits (i32.load (local.get $from)))
        (local.set $scaled
          (i32.trunc_sat_f64_s
            (f64.add
              (f64.mul (f64.promote_f32 (f32.abs (f32.load (local.get $from)))) (f64.const 1e7))
              (f64.const 0.5))))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (if (i32.eqz (local.get $scaled))
          (then
            (i32.store16 (local.get $to) (i32.const 0x2c30)) ;; "0,"
            (local.set $to (i32.add (local.get $to) (i32.const 2)))
            (br $next)))
        ;; A minus in any case, kept where it belongs.
        (i32.store8 (local.get $to) (i32.const 0x2d))
        (local.set $to (i32.add (local.get $to) (i32.shr_u (local.get $bits) (i32.const 31))))
        (if (i32.ge_u (local.get $scaled) (i32.const 10000000))
          (then
            (i32.store16 (local.get $to) (i32.const 0x2c31)) ;; "1,"
            (local.set $to (i32.add (local.get $to) (i32.const 2)))
            (br $next)))
        ;; Eight digits at once: two numbers of four, then four of two, then eight of one; a byte each, the first one lowest.
        ;; x * 10486 >> 20 is x / 100 for x up to 9999, x * 103 >> 10 is x / 10 for x up to 99.
        (local.set $high (i32.div_u (local.get $scaled) (i32.const 10000)))
        (local.set $digits
          (i64.or
            (i64.extend_i32_u (local.get $high))
            (i64.shl
              (i64.extend_i32_u (i32.sub (local.get $scaled) (i32.mul (local.get $high) (i32.const 10000))))
              (i64.const 32))))
        (local.set $digits
          (i64.sub
            (i64.shl (local.get $digits) (i64.const 16))
            (i64.mul
              (i64.and
                (i64.shr_u (i64.mul (local.get $digits) (i64.const 10486)) (i64.const 20))
                (i64.const 0x0000007f0000007f))
              (i64.const 6553599)))) ;; 100 * 2^16 - 1
        (local.set $digits
          (i64.sub
            (i64.shl (local.get $digits) (i64.const 8))
            (i64.mul
              (i64.and
                (i64.shr_u (i64.mul (local.get $digits) (i64.const 103)) (i64.const 10))
                (i64.const 0x000f000f000f000f))
              (i64.const 2559)))) ;; 10 * 2^8 - 1
        ;; "0.", then the seven digits behind the first, which is 0, and a comma.
        (i32.store16 (local.get $to) (i32.const 0x2e30))
        (i64.store
          (i32.add (local.get $to) (i32.const 2))
          (i64.or (i64.shr_u (local.get $digits) (i64.const 8)) (i64.const 0x2c30303030303030)))
        (local.set $to (i32.add (local.get $to) (i32.const 10)))
        (br $next)))
    (local.get $to))

  ;; Base64 from $from to $end, a multiple of 16 characters, to $to: 12 bytes of each 16, and 4 more that mean nothing behind the
  ;; last. Returns 0 when every character is one of base64's. The tables are those of W. Mula and D. Lemire, "Faster Base64
  ;; Encoding and Decoding using AVX2 Instructions" (2018): characters of one high nibble are a range, and differ from their
  ;; values by one number, but for "/"; two bit sets, by low and by high nibble, share a bit where a character is none.
  (func (export "decode") (param $from i32) (param $end i32) (param $to i32) (result i32)
    (local $text v128) (local $high v128) (local $bad v128)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $text (v128.load (local.get $from)))
        (local.set $high (i8x16.shr_u (local.get $text) (i32.const 4)))
        (local.set $bad
          (v128.or
            (local.get $bad)
            (v128.and
              (i8x16.swizzle
                (v128.const i8x16 0x15 0x11 0x11 0x11 0x11 0x11 0x11 0x11 0x11 0x11 0x13 0x1a 0x1b 0x1b 0x1b 0x1a)
                (v128.and (local.get $text) (v128.const i32x4 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f 0x0f0f0f0f)))
              (i8x16.swizzle
                (v128.const i8x16 0x10 0x10 0x01 0x02 0x04 0x08 0x04 0x08 0x10 0x10 0x10 0x10 0x10 0x10 0x10 0x10)
                (local.get $high)))))
        (local.set $text
          (i8x16.add
            (local.get $text)
            (i8x16.swizzle
              (v128.const i8x16 0 16 19 4 -65 -65 -71 -71 0 0 0 0 0 0 0 0)
              (i8x16.add
                (local.get $high)
                (i8x16.eq
                  (local.get $text)
                  (v128.const i8x16 47 47 47 47 47 47 47 47 47 47 47 47 47 47 47 47))))))
        ;; Sixteen values of 6 bits, to eight of 12, to four of 24; these are big-endian in a little-endian word.
        (local.set $text
          (v128.and
            (v128.or
              (i16x8.shl (local.get $text) (i32.const 6))
              (i16x8.shr_u (local.get $text) (i32.const 8)))
            (v128.const i32x4 0x0fff0fff 0x0fff0fff 0x0fff0fff 0x0fff0fff)))
        (local.set $text
          (v128.or
            (i32x4.shl (local.get $text) (i32.const 12))
            (i32x4.shr_u (local.get $text) (i32.const 16))))
        (v128.store
          (local.get $to)
          (i8x16.shuffle 2 1 0 6 5 4 10 9 8 14 13 12 3 3 3 3 (local.get $text) (local.get $text)))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 12)))
        (br $next)))
    (v128.any_true (local.get $bad))))
