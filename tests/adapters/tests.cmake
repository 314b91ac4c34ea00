# nearfar::torch as the installed package's component.
if(NEARFAR_INSTALL)
  nearfar_component_test(adapters "")
endif()
