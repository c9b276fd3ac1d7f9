;; Dot products of one int8 query with many int8 vectors, 16 lanes at a time.
;; query, vectors: byte offsets in memory. stride: bytes from one vector to the next, a multiple of 16, above 0.
;; out: byte offset of count 32-bit results. Products fit: 1536 * 127 * 127 is far below 2^31.
;; Assembled to dot.wasm by `node test/fixtures/assemble.ts`; a unit test keeps the two equal.
(module
  (memory (export "memory") 1)
  (func (export "dot") (param $query i32) (param $vectors i32) (param $count i32) (param $stride i32) (param $out i32)
    (local $i i32) (local $a v128) (local $b v128) (local $sum v128)
    block
      loop
        local.get $count
        i32.eqz
        br_if 1
        i32.const 0
        i32x4.splat
        local.set $sum
        i32.const 0
        local.set $i
        loop
          local.get $query
          local.get $i
          i32.add
          v128.load
          local.set $a
          local.get $vectors
          local.get $i
          i32.add
          v128.load
          local.set $b
          local.get $a
          i16x8.extend_low_i8x16_s
          local.get $b
          i16x8.extend_low_i8x16_s
          i32x4.dot_i16x8_s
          local.get $sum
          i32x4.add
          local.get $a
          i16x8.extend_high_i8x16_s
          local.get $b
          i16x8.extend_high_i8x16_s
          i32x4.dot_i16x8_s
          i32x4.add
          local.set $sum
          local.get $i
          i32.const 16
          i32.add
          local.set $i
          local.get $i
          local.get $stride
          i32.lt_u
          br_if 0
        end
        local.get $out
        local.get $sum
        i32x4.extract_lane 0
        local.get $sum
        i32x4.extract_lane 1
        i32.add
        local.get $sum
        i32x4.extract_lane 2
        i32.add
        local.get $sum
        i32x4.extract_lane 3
        i32.add
        i32.store
        local.get $vectors
        local.get $stride
        i32.add
        local.set $vectors
        local.get $out
        i32.const 4
        i32.add
        local.set $out
        local.get $count
        i32.const 1
        i32.sub
        local.set $count
        br 0
      end
    end
  )
)
