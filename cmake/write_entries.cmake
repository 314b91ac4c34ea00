# Writes OUT: for each function that OBJECT defines for the baseline an entry under its public name,
# which jumps to the same function of the set that nearfar_instruction_set says. SETS are in order.
# A jump leaves arguments, return address and stack as they are; r10 and r11 are nobody's here.
include("${CMAKE_CURRENT_LIST_DIR}/public_symbols.cmake")

nearfar_public_symbols("${OBJECT}" "${NM}" nearfar_baseline symbols)
set(text "// Written by write_entries.cmake.\nasm(R\"(\n.hidden nearfar_instruction_set\n")
set(number 0)
foreach(symbol IN LISTS symbols)
  string(REPLACE "16nearfar_baseline" "7nearfar" public "${symbol}")
  set(functions)
  foreach(set IN LISTS SETS)
    string(LENGTH "nearfar_${set}" length)
    string(REPLACE "16nearfar_baseline" "${length}nearfar_${set}" function "${symbol}")
    list(APPEND functions "${function}")
  endforeach()
  list(JOIN functions ", " functions)
  string(APPEND text ".section .data.rel.ro,\"aw\",@progbits
.balign 8
.Lnearfar_${number}: .quad ${functions}
.text
.balign 16
.weak ${public}
.type ${public}, @function
${public}:
endbr64
movslq nearfar_instruction_set(%rip), %r11
leaq .Lnearfar_${number}(%rip), %r10
jmpq *(%r10,%r11,8)
.size ${public}, .-${public}
")
  math(EXPR number "${number} + 1")
endforeach()
string(APPEND text ")\");\n")
file(WRITE "${OUT}" "${text}")
