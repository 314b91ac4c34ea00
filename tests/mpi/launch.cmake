# How tests run programs of several processes: as root in a container, with more processes than
# processors. MPI implementations are told so by environment variables, each its own.

set(nearfar_mpi_environment
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
    OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_base_warn_component_unused=0
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe OMP_NUM_THREADS=1)

find_package(MPI REQUIRED COMPONENTS CXX)

# What goes before a number of processes and a program.
list(JOIN nearfar_mpi_environment " " nearfar_mpi_launch)
string(PREPEND nearfar_mpi_launch "env ")
string(APPEND nearfar_mpi_launch " ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG}")
