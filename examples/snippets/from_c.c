/* The same losses from C: memory in, gradients into memory. */
#include <math.h>
#include <nearfar/nearfar.h>
#include <stdio.h>

int main(void) {
  const float queries[3 * 2] = {1, 0, 0, 1, 1, 1};
  const float keys[3 * 2] = {2, 1, -1, 2, 1, 2};
  float d_queries[3 * 2];
  const nearfar_rows x = nearfar_float_rows(queries, 3, 2);
  const nearfar_rows y = nearfar_float_rows(keys, 3, 2);
  const nearfar_gradient dx = nearfar_float_gradient(d_queries, 3, 2);

  nearfar_info_nce_options options;
  nearfar_loss* loss = NULL;
  nearfar_result result;
  nearfar_info_nce_options_init(&options, sizeof options);
  options.temperature = 0.5;
  nearfar_result_init(&result, sizeof result);
  if (nearfar_info_nce_create(&options, &loss) != NEARFAR_OK ||
      nearfar_two_sets_forward_backward(loss, &x, &y, NULL, &dx, NULL, NULL, &result) !=
          NEARFAR_OK) {
    puts(nearfar_last_error());
    return 1;
  }
  nearfar_loss_destroy(loss);

  printf("loss %g, gradient of the first query (%g, %g)\n", result.value, d_queries[0],
         d_queries[1]);
  /* Cosines depend on directions alone: the gradient is orthogonal to the row, here (1, 0). */
  return fabsf(d_queries[0]) < 1e-6f && fabsf(d_queries[1]) > 1e-3f ? 0 : 1;
}
